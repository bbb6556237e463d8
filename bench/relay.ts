/**
 * The yardstick: a Node process that passes the same bytes on and does nothing else, `socket.pipe(socket)`. Argument:
 * the port of the sink. Its own port is in the first message.
 */
import net from 'node:net';
import { answer, ready } from './messages.js';

const sinkPort = Number(process.argv[2]);

const server = net.createServer((input) => {
  const output = net.connect({ host: '127.0.0.1', port: sinkPort, noDelay: true });
  input.pipe(output);
  const end = (): void => {
    input.destroy();
    output.destroy();
  };
  input.on('error', end).on('close', end);
  output.on('error', end).on('close', end);
});

answer(() => ({}));
server.listen(0, '127.0.0.1', 4096, () => {
  const address = server.address();
  ready({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
