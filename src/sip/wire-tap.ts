import type { SipApplicationServer } from './drachtio.ts';

/** A SIP message between the server and us; `text` is a byte string: one character, one octet. */
export interface SeenMessage {
  readonly direction: 'in' | 'out';
  readonly protocol: string;
  /** `address:port` of the peer; empty for what we send, the server knows where. */
  readonly remote: string;
  readonly text: string;
}

/** What the library keeps of its control connection; not of its public interface, so everything may be missing. */
interface Wired {
  readonly _app?: {
    readonly client?: {
      readonly wp?: {
        on?(event: 'msg', listener: (socket: unknown, frame: string) => void): unknown;
        setLogger?(logger: (text: string) => void): unknown;
      };
    };
  };
}

/**
 * Listens to the SIP messages on the control connection to a SIP server outside, after `connect` was called. The library has no
 * better place: its requests and responses lose their order and spelling. Without that place nothing is told.
 */
export function tapWire(server: SipApplicationServer, seen: (message: SeenMessage) => void): void {
  const wire = (server as unknown as Wired)._app?.client?.wp;
  wire?.on?.('msg', (_socket, frame) => {
    tell(frame, 'in', seen);
  });
  wire?.setLogger?.((text) => {
    if (text.startsWith('===>')) tell(text.slice(text.indexOf('#') + 1), 'out', seen);
  });
}

/** Never throws: a trace is no reason to lose a message. */
function tell(frame: string, direction: 'in' | 'out', seen: (message: SeenMessage) => void): void {
  try {
    const lineEnd = frame.indexOf('\r\n');
    if (lineEnd === -1) return;
    const [, kind, , , protocol = '', address = '', port = ''] = frame.slice(0, lineEnd).split('|');
    // Answers to what we sent repeat it.
    if (kind !== 'sip') return;
    const known = direction === 'in' && address !== '';
    seen({
      direction,
      protocol: known ? protocol : '',
      remote: known ? `${address}:${port}` : '',
      text: Buffer.from(frame.slice(lineEnd + 2), 'utf8').toString('latin1'),
    });
  } catch {
    // Nothing is kept of it.
  }
}
