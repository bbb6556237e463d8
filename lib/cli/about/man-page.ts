import type { Command } from 'commander';

const ABOUT = `
.PP
Without a command, the service is started: it receives live tracks over KMP and publishes them over RTMP. The other
commands are tools: they send, record, show and check.
.PP
Each directive of the configuration file is also a flag of
.B serve
and an environment variable:
.BR \\-\\-kmp\\-rtmp\\-out\\-reconnects ,
.B KMP_RTMP_OUT_RECONNECTS
and
.B kmp_rtmp_out_reconnects
are the same.
`;

const END = `.SH FILES
.TP
.I /etc/kmp\\-rtmp/kmp\\-rtmp.conf
The configuration of the service that the Debian package installs. The syntax is that of nginx.
.SH SIGNALS
.TP
.BR SIGTERM ", " SIGINT ", " SIGQUIT
Stop in order: what is queued is sent, and streams are unpublished. A second signal stops at once.
.TP
.B SIGHUP
Read the configuration again and reopen the log files. An invalid configuration changes nothing.
.TP
.BR SIGUSR1 ", " SIGUSR2
Reopen the log files.
.TP
.B SIGURG
In a fleet: give all upstreams to other nodes, and take no new ones.
.SH EXIT STATUS
0 if the command did what it was asked to do, else 1. After a second signal, 128 plus the number of the signal.
.SH EXAMPLES
.TP
Check a configuration, then start the service with it:
.nf
kmp\\-rtmp \\-t \\-c /etc/kmp\\-rtmp/kmp\\-rtmp.conf
kmp\\-rtmp \\-c /etc/kmp\\-rtmp/kmp\\-rtmp.conf
.fi
.TP
From OBS to two servers:
.nf
kmp\\-rtmp restream 'rtmp://host/app/KEY' 'rtmps://host/app/KEY'
.fi
.TP
Watch the running service:
.nf
kmp\\-rtmp top
.fi
`;

/** The manual page of the program and its commands, section 1, in the format of man(7). */
export function manPage(program: Command): string {
  const name = program.name();
  return [
    `.TH ${text(name.toUpperCase())} 1 "" "${text(`${name} ${program.version() ?? ''}`)}" "User Commands"\n`,
    `.SH NAME\n${text(name)} \\- ${text(lowerFirst(program.description()).replace(/\.$/, ''))}\n`,
    `.SH SYNOPSIS\n.B ${text(name)}\n[\\fIcommand\\fR] [\\fIoptions\\fR]\n`,
    `.SH DESCRIPTION\n${line(program.description())}${ABOUT.trimStart()}`,
    `.SH OPTIONS\n${optionsOf(program)}`,
    '.SH COMMANDS\n',
    ...program.commands.map(commandPart),
    END,
  ].join('');
}

function commandPart(command: Command): string {
  const usage = `${command.parent?.name() ?? ''} ${command.name()} ${command.usage()}`;
  return `.SS ${text(command.name())}\n${line(command.description())}.PP\n.nf\n${line(usage)}.fi\n${optionsOf(command)}`;
}

function optionsOf(command: Command): string {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .map((option) => `.TP\n.B ${text(option.flags)}\n${line(help.optionDescription(option))}`)
    .join('');
}

/** A line of text. A point or an apostrophe at its beginning would be a request. */
function line(content: string): string {
  return `${text(content).replace(/^[.']/gm, '\\&$&')}\n`;
}

/** A hyphen that is copied from the page stays one, also in flags. */
function text(content: string): string {
  return content.replaceAll('\\', '\\e').replaceAll('-', '\\-');
}

function lowerFirst(content: string): string {
  return content.slice(0, 1).toLowerCase() + content.slice(1);
}
