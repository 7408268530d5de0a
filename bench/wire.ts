// The cheapest HTTP on both ends of the measured platform: raw sockets, so that load and receiver take as little of the
// machine as they can and the figures are the platform's.
import net from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');

/** Takes bytes as they come and calls back with each whole message: its head as text, its body. */
export function messages(onMessage: (head: string, body: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.indexOf(HEAD_END);
      if (end < 0) return;
      const head = rest.toString('latin1', 0, end);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const total = end + 4 + length;
      if (rest.length < total) return;
      onMessage(head, rest.subarray(end + 4, total));
      rest = rest.subarray(total);
    }
  };
}

/** One kept-alive connection that posts one request at a time and resolves with the status. */
export class Poster {
  readonly #socket: net.Socket;
  #resolve: ((answer: { status: number; body: Buffer }) => void) | null = null;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on(
      'data',
      messages((head, body) => {
        const resolve = this.#resolve;
        this.#resolve = null;
        resolve?.({ status: Number(head.slice(9, 12)), body: Buffer.from(body) });
      }),
    );
    socket.on('error', () => undefined);
  }

  static open(port: number): Promise<Poster> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(new Poster(socket)));
      socket.once('error', reject);
    });
  }

  post(head: string, body: Buffer): Promise<{ status: number; body: Buffer }> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#socket.cork();
      this.#socket.write(`${head}content-length: ${body.length}\r\n\r\n`, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
