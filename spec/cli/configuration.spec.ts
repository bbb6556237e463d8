import assert from 'node:assert/strict';
import { chmodSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { Folder, kmpRtmp, Run } from '../support/process/cli.js';

/** The sample of module.md, as it stands there. */
const SAMPLE = `stream {
    server {
        listen 8005;
        resolver 8.8.8.8;

        kmp_rtmp;
    }
}

http {
    server {
        listen 8001;

        location /kmp_rtmp_api/ {
            kmp_rtmp_api write=on;
        }
    }
}
`;

describe('checking a configuration', () => {
  const folder = new Folder();
  after(() => folder.remove());

  const commands: ((file: string) => string[])[] = [
    (file) => ['-t', '-c', file],
    (file) => ['check', file],
    (file) => ['check', '-c', file],
    (file) => ['serve', '--test', '--config', file],
  ];
  for (const command of commands) {
    it(`${command('FILE').join(' ')} takes the sample as it stands, and starts nothing`, async () => {
      const file = folder.file('sample.conf', SAMPLE);
      const { code, stdout, stderr } = await kmpRtmp(command(file));
      assert.deepEqual({ code, stdout }, { code: 0, stdout: `${file}: the configuration is good\n` });
      // Anyone who reaches the sample's HTTP server may write.
      assert.match(
        stderr,
        /^warning: .*sample\.conf:\d+: "kmp_rtmp_api write=on" in .* can be used by everyone[^\n]*\n$/,
      );
    });
  }

  const bad: [what: string, text: string, line: number, says: RegExp][] = [
    [
      'an unknown directive',
      'stream {\n  server {\n    kmp_rtmp_out_chunksize 4k;\n  }\n}',
      3,
      /kmp_rtmp_out_chunk_size/,
    ],
    ['a bad value', SAMPLE.replace('kmp_rtmp;', 'kmp_rtmp;\n kmp_rtmp_out_chunk_size 64;'), 7, /128 \.\. 16777215/],
    ['a wrong context', 'kmp_rtmp_api;\n', 1, /location/],
    ['an open brace', 'stream {\n', 1, /\}/],
  ];
  for (const [what, text, line, says] of bad) {
    it(`${what}: one line with file, line and what was expected; exit code 1`, async () => {
      const file = folder.file('bad.conf', text);
      const { code, stdout, stderr } = await kmpRtmp(['-t', '-c', file]);
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^kmp-rtmp: .+\n$/);
      assert.ok(stderr.startsWith(`kmp-rtmp: ${file}:${line}: `), stderr);
      assert.match(stderr, says);
    });
  }

  it('check without a file is an error', async () => {
    const none = await kmpRtmp(['check']);
    assert.deepEqual([none.code, none.stderr], [1, 'kmp-rtmp: check: no file given; use kmp-rtmp check FILE\n']);
    const two = await kmpRtmp(['check', 'a.conf', '-c', 'b.conf']);
    assert.deepEqual([two.code, two.stderr], [1, 'kmp-rtmp: check: give one file at a time, not a.conf and b.conf\n']);
  });

  it('a file that is not there: one line, exit code 1, for serving too', async () => {
    for (const args of [['-t'], []]) {
      const { code, stderr } = await kmpRtmp([...args, '-c', `${folder.path}/missing.conf`]);
      assert.equal(code, 1);
      assert.match(stderr, /^kmp-rtmp: .*missing\.conf.*\n$/);
    }
  });

  for (const [what, content, says] of [
    ['is not there', undefined, /cannot read \/no\/such\.pem: the file does not exist\n$/],
    ['holds no certificate', 'no PEM at all', /other\.pem has no certificate in PEM form\n$/],
    ['is damaged', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', /other\.pem has no certificate/],
  ] as const) {
    it(`trusted certificates in a file that ${what}: one line, before any server is to be verified`, async () => {
      const path = content === undefined ? '/no/such.pem' : folder.file('other.pem', content);
      const directive = `kmp_rtmp_out_ssl_trusted_certificate ${path};`;
      const file = folder.file('tls.conf', SAMPLE.replace('kmp_rtmp;', `kmp_rtmp; ${directive}`));
      for (const args of [
        ['-t', '-c', file],
        ['-c', file],
      ]) {
        const { code, stderr } = await kmpRtmp(args);
        assert.equal(code, 1);
        assert.match(stderr, /^kmp-rtmp: .*tls\.conf:6: kmp_rtmp_out_ssl_trusted_certificate: /);
        assert.match(stderr, says);
      }
    });
  }

  it('the second of two certificates that cannot be used: its own line', async () => {
    const tls = resolve('spec/fixtures/tls');
    const listen = (certificate: string, key: string): string => `listen 8001 ssl;
ssl_certificate ${tls}/server.pem;
ssl_certificate_key ${tls}/server.key;
ssl_certificate ${certificate};
ssl_certificate_key ${key};`;
    for (const [certificate, key, expected] of [
      [
        '/no/such.pem',
        `${tls}/other.key`,
        /^kmp-rtmp: .*pairs\.conf:15: ssl_certificate: cannot read \/no\/such\.pem: /,
      ],
      [
        `${tls}/other.pem`,
        '/no/such.key',
        /^kmp-rtmp: .*pairs\.conf:16: ssl_certificate_key: cannot read \/no\/such\.key: /,
      ],
      [`${tls}/other.pem`, `${tls}/ca.pem`, /^kmp-rtmp: .*pairs\.conf:15: ssl_certificate .*cannot be used together: /],
    ] as const) {
      const file = folder.file('pairs.conf', SAMPLE.replace('listen 8001;', listen(certificate, key)));
      const { code, stderr } = await kmpRtmp(['check', file]);
      assert.equal(code, 1);
      assert.match(stderr, expected);
    }
  });

  it('trusted certificates that exist are accepted', async () => {
    const directive = 'kmp_rtmp_out_ssl_trusted_certificate spec/fixtures/tls/ca.pem;';
    const file = folder.file('tls.conf', SAMPLE.replace('kmp_rtmp;', `kmp_rtmp; ${directive}`));
    assert.equal((await kmpRtmp(['check', file])).code, 0);
  });

  for (const [what, content, says] of [
    ['is not there', undefined, /no\/such\.mp4 cannot be opened: the file does not exist\n$/],
    ['is empty', '', /film\.mp4 is empty; expected a media file, such as \.mp4 or \.flv\n$/],
    ['is no media', 'hello, this is no film at all', /film\.mp4 cannot be read: .*\n$/],
  ] as const) {
    it(`a slate that ${what}: one line`, async () => {
      const path = content === undefined ? '/no/such.mp4' : folder.file('film.mp4', content);
      const file = folder.file('slate.conf', SAMPLE.replace('kmp_rtmp;', `kmp_rtmp; kmp_rtmp_out_slate ${path};`));
      for (const args of [
        ['-t', '-c', file],
        ['-c', file],
      ]) {
        const { code, stderr } = await kmpRtmp(args);
        assert.equal(code, 1);
        assert.match(stderr, /^kmp-rtmp: .*slate\.conf:6: kmp_rtmp_out_slate: /);
        assert.match(stderr, says);
      }
    });
  }

  it('a folder for dumps that is not there: one line that names directive and path', async () => {
    const file = folder.file('dump.conf', SAMPLE.replace('kmp_rtmp;', 'kmp_rtmp; kmp_rtmp_in_dump_folder /no/such;'));
    const { code, stderr } = await kmpRtmp(['-c', file]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^kmp-rtmp: .*dump\.conf:6: kmp_rtmp_in_dump_folder: cannot write to \/no\/such: there is no such folder.*\n$/,
    );
  });

  for (const [line, says] of [
    [
      'pid /no/such/a.pid;',
      /kmp\.conf:1: pid: cannot write to \/no\/such\/a\.pid: there is no such folder \/no\/such; create/,
    ],
    ['error_log /dev/null/a;', /kmp\.conf:1: error_log: cannot write to \/dev\/null\/a: \/dev\/null is not a folder/],
    [`pid /tmp/${'x'.repeat(300)}/a;`, /kmp\.conf:1: pid: cannot write to .*: the path is too long/],
    ['error_log stderr; error_log /tmp;', /kmp\.conf:1: error_log: cannot write to \/tmp: it is a folder/],
  ] as const) {
    it(`a file that cannot be written: file, line and directive: ${line.slice(0, 40)}`, async () => {
      const file = folder.file('kmp.conf', `${line}\n${SAMPLE}`);
      for (const args of [['-t'], []]) {
        const { code, stderr } = await kmpRtmp([...args, '-c', file]);
        assert.equal(code, 1);
        assert.match(stderr, says);
      }
    });
  }

  it('a secret of notifications: its file must exist, must not be empty, and should not be readable by all', async () => {
    const secret = folder.file('secret', '');
    const text = SAMPLE.replace('kmp_rtmp;', `kmp_rtmp; kmp_rtmp_out_notif_secret_file ${secret};`);
    const file = folder.file('secret.conf', text);
    const empty = await kmpRtmp(['-t', '-c', file]);
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /secret\.conf:6: kmp_rtmp_out_notif_secret_file: .*secret is empty; write the secret/);

    folder.file('secret', 's3cret\n');
    chmodSync(secret, 0o644);
    const open = await kmpRtmp(['-t', '-c', file]);
    assert.equal(open.code, 0);
    assert.match(open.stderr, /secret\.conf:6: .*secret: a secret of 6 characters can be guessed; use at least 8\n/);
    assert.match(open.stderr, /secret\.conf:6: .*every user of this machine can read .*secret; .*: chmod o-r/);
    assert.doesNotMatch(open.stderr, /s3cret/);

    folder.file('secret', 'a long secret\n');
    chmodSync(secret, 0o640);
    assert.doesNotMatch((await kmpRtmp(['-t', '-c', file])).stderr, /secret\.conf:6/);

    rmSync(secret);
    const missing = await kmpRtmp(['-t', '-c', file]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /secret\.conf:6: .*cannot read .*secret: the file does not exist\n$/);
    const restream = await kmpRtmp(['restream', '--kmp-rtmp-out-notif-secret-file', secret, 'rtmp://192.0.2.1/a/b']);
    assert.equal(restream.code, 1);
    assert.match(
      restream.stderr,
      /^kmp-rtmp: --kmp-rtmp-out-notif-secret-file: cannot read .*secret: the file does not/,
    );
  });

  it('directives of nginx without a meaning here are accepted, with a warning', async () => {
    const file = folder.file('events.conf', `events {\n  worker_connections 1024;\n}\n${SAMPLE}`);
    const { code, stderr } = await kmpRtmp(['-t', '-c', file]);
    assert.equal(code, 0);
    assert.match(stderr, /^warning: .*events.conf:1: .*events/);
  });
});

describe('flags and variables', () => {
  const folder = new Folder();
  const file = folder.file('kmp.conf', 'stream { server { listen 127.0.0.1:0; kmp_rtmp; } }');
  after(() => folder.remove());

  /** The address that is announced for KMP, without the port. */
  async function host(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
    const run = new Run(['-c', file, ...args], env);
    const [, found = ''] = await run.says(/takes KMP on (\S+):\d+\n/);
    run.kill('SIGTERM');
    await run.ended;
    return found;
  }

  it('a flag goes before a variable, a variable before the file', async () => {
    assert.equal(await host([], {}), '127.0.0.1');
    assert.equal(await host([], { KMP_RTMP_LISTEN: 'localhost:0' }), 'localhost');
    assert.equal(await host(['--listen', '0.0.0.0:0'], { KMP_RTMP_LISTEN: 'localhost:0' }), '0.0.0.0');
  });

  it('errors name the flag, or the variable', async () => {
    const flag = await kmpRtmp(['-t', '--kmp-rtmp-out-chunk-size', '12']);
    assert.equal(flag.code, 1);
    assert.match(flag.stderr, /^kmp-rtmp: --kmp-rtmp-out-chunk-size: .*128 \.\. 16777215\n$/);
    const variable = await kmpRtmp(['-t'], { KMP_RTMP_OUT_CHUNK_SIZE: '12' });
    assert.equal(variable.code, 1);
    assert.match(variable.stderr, /^kmp-rtmp: KMP_RTMP_OUT_CHUNK_SIZE: .*128 \.\. 16777215\n$/);
  });

  it('a flag may be repeated where the directive may', async () => {
    const { code } = await kmpRtmp(['-t', '-c', file, '--listen', '127.0.0.1:1', '--listen', '127.0.0.1:2']);
    assert.equal(code, 0);
    const twice = await kmpRtmp(['-t', '-c', file, '--listen', '127.0.0.1:1', '--listen', '127.0.0.1:1']);
    assert.match(twice.stderr, /already listens on 127.0.0.1:1/);
  });

  it('an unknown flag is refused, and the near one suggested', async () => {
    const { code, stderr } = await kmpRtmp(['--kmp-rtmp-out-chunk-sise', '4k']);
    assert.equal(code, 1);
    assert.match(stderr, /unknown option '--kmp-rtmp-out-chunk-sise'\n\(Did you mean --kmp-rtmp-out-chunk-size\?\)/);
    assert.match(stderr, /\nsee kmp-rtmp serve --help\n$/);
  });

  it('so is what is no command', async () => {
    const { code, stderr } = await kmpRtmp(['chek', file]);
    assert.equal(code, 1);
    assert.equal(stderr, 'kmp-rtmp: there is no command "chek"; did you mean check?\n');
  });
});

describe('help', () => {
  it('names all commands, with examples', async () => {
    const { code, stdout } = await kmpRtmp(['--help']);
    assert.equal(code, 0);
    assert.match(stdout, /Commands:\n {2}serve /);
    assert.match(stdout, /Examples:\n {2}kmp-rtmp /);
  });

  for (const command of ['serve', 'send', 'inspect', 'check', 'top', 'demo', 'completion']) {
    it(`of ${command} has examples`, async () => {
      const { code, stdout } = await kmpRtmp([command, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: kmp-rtmp ${command} [^]*\\nExamples:\\n  \\S`));
    });
  }

  it('of serve has each directive as a flag, with its default', async () => {
    const { stdout } = await kmpRtmp(['serve', '--help']);
    assert.match(stdout, /--kmp-rtmp-out-chunk-size <size>[^-]*\(default: 64k\)/);
    assert.match(stdout, /--kmp-rtmp-in-mem-limit <size>[^-]*\(default: 256k\)/);
    assert.match(stdout, /Examples:\n/);
  });

  it('--version prints the version of the package', async () => {
    const { code, stdout } = await kmpRtmp(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\S*\n$/);
  });
});
