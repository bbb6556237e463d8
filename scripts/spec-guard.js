// Loaded before each spec file. It ends a file that hangs, also after its last test (a socket left open), and prints
// what the file waited for. Node's own --test-timeout applies to single tests only.
//
// It also fails a file that listens on a port of its choice in the range that the kernel takes the ports of outgoing
// connections from. Such a port is free when it is chosen, and sometimes taken when it is used.
import { readFileSync } from 'node:fs';
import net from 'node:net';

const limit = Number(process.env.SPEC_FILE_TIMEOUT ?? 150_000);

if (process.env.NODE_TEST_CONTEXT !== undefined) {
  setTimeout(() => {
    const held = process.getActiveResourcesInfo().join(', ');
    console.error(`${process.argv[1]} has not ended after ${limit} ms; still open: ${held}`);
    process.exit(1);
  }, limit).unref();
  forbidEphemeralPorts();
}

function forbidEphemeralPorts() {
  const { listen } = net.Server.prototype;
  const { first, last } = ephemeralPorts();
  net.Server.prototype.listen = function (...args) {
    const port = Number(args[0]?.port ?? args[0]);
    if (port >= first && port <= last) {
      this.once('listening', () => {
        throw new Error(
          `a spec listens on port ${port}, which an outgoing connection may take: ` +
            'use spec/support/network/free-port.ts',
        );
      });
    }
    return Reflect.apply(listen, this, args);
  };
}

function ephemeralPorts() {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split('\t').map(Number);
    return { first, last };
  } catch {
    // The range of other systems.
    return { first: 49_152, last: 65_535 };
  }
}
