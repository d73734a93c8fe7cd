import type { Heard, Piece, Target } from './player-engine.ts';

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
}

export type ToPlayer =
  | { readonly type: 'open'; readonly id: number; readonly localAddress: string }
  | { readonly type: 'play'; readonly id: number; readonly line: number; readonly piece: Piece }
  | { readonly type: 'redirect'; readonly line: number; readonly to: Target | undefined }
  | { readonly type: 'close'; readonly line: number };

export type FromPlayer =
  | { readonly id: number; readonly answer: PlayerCall[keyof PlayerCall]['answer'] }
  | { readonly id: number; readonly error: string };
