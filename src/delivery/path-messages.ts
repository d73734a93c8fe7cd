import type { CopyReference } from '../jobs/destination.ts';
import type { DeliveryErrorCode } from './delivery-error.ts';

/** An upload as it goes to the process: a file of this machine is read there, a few octets are in it, anything else is sent in parts. */
export interface SentUpload {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly file?: string;
  /** A few octets come along. */
  readonly octets?: Uint8Array;
}

/** What the process of a folder can be asked for. `read` goes on with what an earlier `open` (its id: `of`) found. */
export type PathAsk =
  | { readonly what: 'put' | 'extend'; readonly upload: SentUpload }
  | { readonly what: 'stages'; readonly stages: readonly (readonly SentUpload[])[] }
  | { readonly what: 'open' | 'stat' | 'remove'; readonly copy: CopyReference }
  | { readonly what: 'list'; readonly folder: string }
  | { readonly what: 'capabilities' }
  | { readonly what: 'read' | 'shut'; readonly of: number };

/** To the process. `octets` answer a `pull`: a part of the source, its end when there are none, or why there is no more. */
export type PathRequest =
  | { readonly kind: 'ask'; readonly id: number; readonly ask: PathAsk }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'octets'; readonly id: number; readonly octets?: Uint8Array; readonly error?: string };

/** From the process. `moving`: octets have moved, at most twice a second; `pull`: so many more parts of the source may come. */
export type PathReply =
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly code: DeliveryErrorCode;
      readonly detail: string;
    }
  | { readonly kind: 'moving'; readonly id: number }
  | { readonly kind: 'pull'; readonly id: number; readonly parts: number };
