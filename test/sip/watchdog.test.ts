import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { SipDialog } from '../../src/sip/drachtio.ts';
import { Watchdog, type WatchedCall, type WatchLimits } from '../../src/sip/watchdog.ts';

const LIMITS: WatchLimits = {
  interval: 1000,
  probeAfter: 300_000,
  ackPatience: 34_000,
  lostSilence: 60_000,
  lostLimit: 3_600_000,
};

/** A dialog whose client answers OPTIONS with `status`, or not at all. */
class FakeDialog extends EventEmitter {
  status: number | undefined = 200;
  probes = 0;

  /** Set where the SIP server itself cannot send the question. */
  refusal: { readonly code: string } | undefined;
  readonly id = 'call;from-tag=client';
  readonly agent = {
    request: (
      options: { readonly method: string },
      callback: (error: unknown, sent?: object) => void,
    ): void => {
      expect(options).toMatchObject({ method: 'OPTIONS', stackDialogId: this.id });
      this.probes += 1;
      const sent = new EventEmitter();
      if (this.refusal === undefined) callback(undefined, sent);
      else callback(this.refusal);
      if (this.status !== undefined) sent.emit('response', { status: this.status });
    },
  };
}

class FakeCall implements WatchedCall {
  silentSince = Date.now();
  paused = false;
  readonly notes: string[] = [];
  readonly given: string[] = [];
  asked = 0;
  readonly recording = {
    silentFor: (): Promise<number> => {
      this.asked += 1;
      return Promise.resolve(this.paused ? 0 : Date.now() - this.silentSince);
    },
    note: (step: string): void => {
      this.notes.push(step);
    },
  };

  giveUp(why: string): Promise<void> {
    this.given.push(why);
    return Promise.resolve();
  }
}

let watchdog: Watchdog;
let dialog: FakeDialog;
let call: FakeCall;
let over: number;

beforeEach(() => {
  jest.useFakeTimers();
  over = 0;
  dialog = new FakeDialog();
  call = new FakeCall();
  watchdog = new Watchdog(LIMITS, (_level, message) => {
    throw new Error(message);
  });
  watchdog.watch(call, dialog as unknown as SipDialog, () => {
    over += 1;
  });
});

afterEach(() => {
  watchdog.stop();
  jest.useRealTimers();
});

/** Seconds of a call, with audio in the last of them or not. */
async function goOn(seconds: number, audio: boolean): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    if (audio) call.silentSince = Date.now();
    await jest.advanceTimersByTimeAsync(1000);
  }
}

describe('a client that forgot the BYE (TMR-6)', () => {
  beforeEach(() => {
    dialog.emit('ack');
  });

  test('is never asked while audio comes in', async () => {
    await goOn(1000, true);
    expect([dialog.probes, call.given]).toEqual([0, []]);
    // Nor is the media thread asked when the answer could not matter: of a thousand calls that would be messages all the time.
    expect(call.asked).toBe(3);
  });

  test.each([[200], [405], [500]])('keeps its call by answering %d to OPTIONS', async (status) => {
    dialog.status = status;
    await goOn(1000, false);
    expect(dialog.probes).toBe(3);
    expect(call.notes).toEqual(['silent', 'silent', 'silent']);
    expect(call.given).toEqual([]);
  });

  test.each([[481], [408]])('loses it by %d', async (status) => {
    dialog.status = status;
    await goOn(310, false);
    expect(call.given).toEqual([expect.stringContaining(`answers ${status} to OPTIONS`)]);
    expect(over).toBe(1);
    await goOn(700, false);
    expect([dialog.probes, over]).toEqual([1, 1]);
  });

  test('loses it when the SIP server knows no such dialog any more', async () => {
    dialog.refusal = { code: 'ENODIALOG' };
    await goOn(310, false);
    expect(call.given).toHaveLength(1);
  });

  test('is not asked while it pauses the recording', async () => {
    call.paused = true;
    await goOn(1000, false);
    expect(dialog.probes).toBe(0);
  });

  test('that never answers, and whose server does not say so, is asked again', async () => {
    dialog.status = undefined;
    await goOn(1000, false);
    expect(dialog.probes).toBeGreaterThan(1);
    expect(call.given).toEqual([]);
  });
});

describe('a call without ACK (DLG-6)', () => {
  test('is kept when audio comes in', async () => {
    await goOn(60, true);
    expect(call.notes).toEqual(['kept without ACK']);
    expect(call.given).toEqual([]);
  });

  test('is given up without audio', async () => {
    await goOn(60, false);
    expect(call.given).toEqual(['no ACK came and no audio']);
    expect(over).toBe(1);
  });
});

describe('a call whose SIP server was lost', () => {
  beforeEach(() => {
    dialog.emit('ack');
  });

  test('goes on as long as audio comes in, and ends a minute after the last', async () => {
    await goOn(10, true);
    watchdog.serverLost();
    await goOn(600, true);
    expect(call.given).toEqual([]);
    await goOn(58, false);
    expect(call.given).toEqual([]);
    await goOn(5, false);
    expect(call.given).toEqual([expect.stringContaining('the SIP server was lost')]);
    expect(dialog.probes).toBe(0);
  });

  test('that is paused ends after the limit', async () => {
    call.paused = true;
    watchdog.serverLost();
    await goOn(3590, false);
    expect(call.given).toEqual([]);
    await goOn(20, false);
    expect(over).toBe(1);
  });

  test('ends by its own BYE without the watchdog', async () => {
    watchdog.serverLost();
    dialog.emit('destroy');
    await goOn(120, false);
    expect(call.given).toEqual([]);
  });
});
