import type { CaptureChange, CaptureRequest, CaptureResult, MediaTotals, OpenedCapture } from './capture.ts';
import { MediaError, type MediaErrorCode } from './media-error.ts';
import type { PressedKey, Segment } from './capture.ts';
import type { DiskRhythm } from './audio-disk.ts';
import type { DtlsIdentity } from './dtls/dtls-identity.ts';
import type { ReceiverKind } from './receiver/open-receiver.ts';
import type { Receiver, ReceiverFaults } from './receiver/receiver.ts';

/** What a media thread is started with. */
export interface ThreadData {
  /** Its own part of the port range, `FIRST-LAST`. */
  readonly ports: string;
  readonly receiver: ReceiverKind;
  readonly rhythm?: DiskRhythm | undefined;
  readonly dtls?: DtlsIdentity | undefined;
  /** Ports a thread before it has used, with the epoch milliseconds of their last use. */
  readonly used: readonly (readonly [port: number, at: number])[];
  /** Shared memory of an `OpenSockets`. */
  readonly openSockets: Int32Array;
  /** Rung with every message, see `ThreadRest`. */
  readonly bell: Int32Array;
}

/** Totals of media threads, with what went wrong at their sockets. */
export type ThreadTotals = MediaTotals &
  ReceiverFaults & {
    /** Milliseconds for which the disk has not answered a write; the longest of all threads. */
    readonly diskWait: number;
  };

/** The calls a media thread answers: name, argument, answer. */
export interface ThreadCalls {
  open: (request: CaptureRequest) => OpenedCapture;
  change: (change: CaptureChange) => OpenedCapture;
  succeed: (succession: { readonly id: string; readonly next: CaptureRequest }) => OpenedCapture;
  close: (close: { readonly id: string; readonly at: number; readonly cut: boolean }) => CaptureResult;
  totals: (nothing: undefined) => ThreadTotals;
  /** As in the totals, without going through all calls. */
  diskWait: (nothing: undefined) => number;
  silence: (id: string) => number;
  stop: (nothing: undefined) => undefined;
}

export type Verb = keyof ThreadCalls;
export type Argument<V extends Verb> = Parameters<ThreadCalls[V]>[0];
export type Answer<V extends Verb> = ReturnType<ThreadCalls[V]>;

/** Main thread to media thread, in lists. Every call is answered once, under its number. */
export type ToThread = {
  [V in Verb]: { readonly number: number; readonly verb: V; readonly argument: Argument<V> };
}[Verb];

/** Media thread to main thread, in lists. */
export type FromThread =
  | { readonly type: 'ready'; readonly receiver: Receiver['kind'] }
  | { readonly type: 'answer'; readonly number: number; readonly value: Answer<Verb> }
  | { readonly type: 'refusal'; readonly number: number; readonly error: PlainError }
  | { readonly type: 'failure'; readonly capture: string; readonly error: PlainError }
  | { readonly type: 'key'; readonly capture: string; readonly key: PressedKey }
  | { readonly type: 'segment'; readonly capture: string; readonly segment: Segment }
  | { readonly type: 'log'; readonly line: string };

/** An error as it crosses between threads: classes and their identity do not. */
export interface PlainError {
  readonly code: MediaErrorCode;
  readonly detail: string;
}

/** Flattens an error. One that is not a MediaError is a fault of the program and comes out as STOPPED. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof MediaError)
    return { code: error.code, detail: error.message.slice(error.code.length + 2) };
  return { code: 'STOPPED', detail: `unexpected: ${error instanceof Error ? error.message : String(error)}` };
}

export const fromPlainError = (error: PlainError): MediaError => new MediaError(error.code, error.detail);
