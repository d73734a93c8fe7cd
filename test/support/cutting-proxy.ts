import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** When connections through the proxy are to break. */
export interface Cut {
  /** `up` counts what the client sends, `down` what the server answers. */
  readonly direction: 'up' | 'down';
  /** Octets of all connections together that still get through. */
  readonly after: number;
}

/** A TCP port in front of another that breaks connections as a failing line does: in the middle of whatever is being sent. */
export interface CuttingProxy {
  readonly port: number;
  /** Octets that went each way since the last `arm`. */
  readonly moved: { readonly up: number; readonly down: number };
  /** How often the line has broken since the last `arm`. */
  readonly cuts: number;
  /** Counts from nought; breaks once, without a cut never. */
  arm(cut?: Cut): void;
  /** Holds back all that is under way, and says nothing about it. */
  freeze(frozen: boolean): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let moved = { up: 0, down: 0 };
  let armed: Cut | undefined;
  let cuts = 0;
  let frozen = false;
  const breakAll = (): void => {
    armed = undefined;
    cuts += 1;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  /** Sends on what may still go; the octet after it breaks the line. */
  const pass = (direction: Cut['direction'], part: Buffer, to: Socket): boolean => {
    const left = armed?.direction === direction ? armed.after - moved[direction] : Infinity;
    const going = part.subarray(0, Math.max(0, left));
    moved[direction] += going.length;
    if (going.length === part.length) return to.write(going);
    if (going.length > 0) to.write(going, breakAll);
    else breakAll();
    return true;
  };
  const join = (from: Socket, to: Socket, direction: Cut['direction']): void => {
    sockets.add(from);
    from.on('error', () => undefined);
    from.on('data', (part) => {
      if (!pass(direction, part, to)) from.pause();
    });
    to.on('drain', () => {
      if (!frozen) from.resume();
    });
    from.once('end', () => to.end());
    from.once('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    if (frozen) from.pause();
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    join(near, far, 'up');
    join(far, near, 'down');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { readonly port: number }).port,
    get moved() {
      return moved;
    },
    get cuts() {
      return cuts;
    },
    arm: (cut) => {
      moved = { up: 0, down: 0 };
      cuts = 0;
      armed = cut;
    },
    freeze: (now) => {
      frozen = now;
      for (const socket of sockets) {
        if (now) socket.pause();
        else socket.resume();
      }
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
