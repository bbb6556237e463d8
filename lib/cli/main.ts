import { Command, CommanderError } from 'commander';
import { closestName } from '../config/closest-name.js';
import { growAsUsual } from '../node-internals/young-generation.js';
import { version } from '../base/version.js';
import { checkCommand } from './check.js';
import { completionCommand } from './completion.js';
import { demoCommand } from './demo.js';
import { errorText, ExitCode } from './exit.js';
import { helpStyle } from './help.js';
import { ingestCommand } from './rtmp/ingest.js';
import { restreamCommand } from './rtmp/restream.js';
import { inspectCommand } from './inspect.js';
import { licensesCommand } from './about/licenses.js';
import { handlePipeErrors, print } from './output.js';
import { sendCommand } from './send/send.js';
import { serveCommand } from './serve.js';
import { topCommand } from './top.js';

const NAME = 'kmp-rtmp';
const DEFAULT_COMMAND = 'serve';

/** The command line: `serve`, which is the default, and the tools. */
export function createProgram(): Command {
  const program = new Command(NAME)
    .description('Publishes live KMP tracks over RTMP: to Twitch, YouTube, Facebook or any RTMP server.')
    .version(version, '-v, --version', 'print the version and exit')
    .helpOption('-h, --help', 'print help and exit; after a command, the help of that command')
    .addHelpText('after', examples)
    .configureHelp(helpStyle)
    .configureOutput({
      writeOut: (text) => void print(text),
      outputError: (text, write) => write(text.replace(/^error: /, `${NAME}: `)),
    })
    .exitOverride();
  const tools = [
    restreamCommand(),
    ingestCommand(),
    sendCommand(),
    inspectCommand(),
    checkCommand(),
    topCommand(),
    demoCommand(),
    licensesCommand(),
  ];
  for (const command of [serveCommand(), ...tools, completionCommand(() => program, DEFAULT_COMMAND)]) {
    command.copyInheritedSettings(program).showHelpAfterError(`see ${program.name()} ${command.name()} --help`);
    program.addCommand(command, { isDefault: command.name() === DEFAULT_COMMAND });
  }
  refuseOtherNames(program);
  // Only the service keeps its heap small.
  program.hook('preAction', (_, command) => {
    if (command.name() !== DEFAULT_COMMAND) growAsUsual();
  });
  return program;
}

const examples = `
Without a command, the service is started: "kmp-rtmp -c FILE" is "kmp-rtmp serve -c FILE".

Examples:
  kmp-rtmp                          serve: KMP on 127.0.0.1:8005, status page on http://127.0.0.1:8001/
  kmp-rtmp -c /etc/kmp-rtmp.conf    use a configuration file in nginx syntax
  kmp-rtmp -t -c /etc/kmp-rtmp.conf check that file and exit
  kmp-rtmp serve --help             all flags of the service
  kmp-rtmp restream 'rtmp://host/app/KEY' 'rtmps://host/app/KEY'
                                    from OBS to several RTMP servers at once
  kmp-rtmp send movie.mp4 --upstream-id u1 --url rtmp://localhost/live/test
  kmp-rtmp top                      watch the running service
  kmp-rtmp inspect dump.dat         print the content of a dump of KMP or RTMP`;

/** `serve` is the default command and gets any word that is not a command: most likely a typing error. */
function refuseOtherNames(program: Command): void {
  const serve = program.commands.find((command) => command.name() === DEFAULT_COMMAND);
  serve?.allowExcessArguments().hook('preAction', () => {
    const [word] = serve.args;
    if (word !== undefined) refuseName(program, word);
  });
}

/** Commander answers `help WORD` with the general help if there is no such command. */
function checkHelp(program: Command, [word, name]: readonly string[]): void {
  if (word !== 'help' || name === undefined || name.startsWith('-')) return;
  if (name !== 'help' && !program.commands.some((command) => command.name() === name)) refuseName(program, name);
}

function refuseName(program: Command, word: string): never {
  const near = closestName(
    word,
    program.commands.map((command) => command.name()),
  );
  const hint = near === undefined ? `see ${NAME} --help` : `did you mean ${near}?`;
  program.error(`${NAME}: there is no command "${word}"; ${hint}`, { exitCode: ExitCode.failed });
}

/**
 * Runs a command line, and sets the process's exit code.
 *
 * @param argv as `process.argv`: the first two elements are those of Node
 */
export async function main(argv: readonly string[]): Promise<void> {
  handlePipeErrors();
  try {
    const program = createProgram();
    checkHelp(program, argv.slice(2));
    await program.parseAsync([...argv]);
  } catch (error) {
    // Commander has already printed its message.
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else {
      process.stderr.write(`${errorText(error)}\n`);
      process.exitCode = ExitCode.failed;
    }
  }
}
