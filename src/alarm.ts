/** Something an operator must know and somebody must do something about. Says nothing about parties of a call. */
export interface Alarm {
  /** Stable name of the condition, small letters and dashes, for example `spool-nearly-full`. */
  readonly code: string;
  /** What it is about where a condition can hold for several at once (a destination, a trunk); part of its identity. */
  readonly subject?: string;
  readonly severity: 'warning' | 'critical';
  /** One sentence for people. */
  readonly text: string;
  readonly fields?: Readonly<Record<string, string | number>>;
}

/** How a part of the recorder states a condition and its end. Neither throws nor waits. */
export interface AlarmBell {
  /** The condition holds; repeating it only brings text and fields up to date. */
  raise(alarm: Alarm): void;
  /** It holds no longer; harmless when it did not hold. */
  clear(code: string, subject?: string): void;
}
