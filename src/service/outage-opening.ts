import type { Alarm, AlarmBell } from '../alarm.ts';
import type { Recorder } from '../recorder/recorder.ts';
import { outageCauses, type OutageParts } from './outage-causes.ts';
import { OutageWatch } from './outage-watch.ts';
import type { ShutdownList } from './shutdown-list.ts';

/** What rings while a cause lasts. */
const ALARMS: Readonly<Record<string, Alarm>> = {
  ports: {
    code: 'media-ports-exhausted',
    severity: 'critical',
    text: 'Calls are refused because no media port is free: media.ports is too small for this many calls',
    fields: {},
  },
  database: {
    code: 'database-away',
    severity: 'critical',
    text: 'The database has not answered for a minute, or lacks a right, a table or space: calls are recorded and journalled, and nothing is sealed or delivered',
  },
};

/** From here on: what did not work before was no outage, but a start that took its time. */
export function openOutageWatch(
  parts: OutageParts & {
    readonly recorder: Pick<Recorder, 'state' | 'isDraining'>;
    readonly closing: Pick<ShutdownList, 'add'>;
    readonly bell: AlarmBell;
  },
): void {
  const { recorder, ground, closing, bell } = parts;
  const outages = new OutageWatch({
    causes: outageCauses(parts),
    state: (event) => recorder.state(event),
    onChange: (cause, isOut) => {
      const alarm = ALARMS[cause];
      if (alarm === undefined) return;
      if (isOut) bell.raise(alarm);
      else bell.clear(alarm.code);
    },
    isStopping: () => recorder.isDraining,
    now: Date.now,
    lastAlive: ground.lastAlive,
  });
  outages.start();
  closing.add('outage watch', () => {
    outages.close();
  });
}
