import type { Heard, Piece, PlayPorts, Way } from './player-engine.ts';

/** What the player's thread is started with. */
export interface PlayerData {
  readonly ports: PlayPorts | undefined;
}

/** What the player's thread is asked, and what it answers. */
export interface PlayerCall {
  readonly open: {
    readonly argument: { readonly localAddress: string };
    readonly answer: { readonly line: number; readonly port: number };
  };
  readonly play: {
    readonly argument: { readonly line: number; readonly piece: Piece };
    readonly answer: Heard;
  };
  /** Ends everything that is played; who waits for it hears so first. */
  readonly end: {
    readonly argument: object;
    readonly answer: undefined;
  };
}

export type ToPlayer =
  | { readonly type: 'open'; readonly id: number; readonly localAddress: string }
  | { readonly type: 'play'; readonly id: number; readonly line: number; readonly piece: Piece }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'redirect'; readonly line: number; readonly way: Way | undefined }
  | { readonly type: 'close'; readonly line: number };

export type FromPlayer =
  | { readonly id: number; readonly answer: PlayerCall[keyof PlayerCall]['answer'] }
  | { readonly id: number; readonly error: string };
