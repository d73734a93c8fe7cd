import { expect, test } from '@jest/globals';
import type { RenderRow } from '../../src/jobs/ports.ts';
import { SqlLogStore } from '../../src/store/log-store.ts';
import { describeOnBoth } from './databases.ts';
import { emptyHead, following, intentOf, opening } from './records.ts';

describeOnBoth('the log', (open) => {
  test('tells in one answer what the seals of several recordings ask', async () => {
    const store = new SqlLogStore(await open(), { node: 'rec01' });
    const intent = intentOf('r2');
    const render: RenderRow = { recording: 'r2', outcome: 'failed', detail: 'no program', at: 7 };
    const first = following(emptyHead, 'genesis');
    const stated = following(first.after, 'segment', 'r2');
    await store.write(async (log) => {
      for (const id of ['r1', 'r2']) await log.openRecording(opening(id));
    });
    await store.write(async (log) => {
      await log.putRender(render);
      await log.putIntent(intent);
      await log.addMark('r2', { at: 3, kind: 'note', source: 'client' });
      await log.appendEntry(first.entry, first.after);
      await log.appendEntry(stated.entry, stated.after);
    });
    const found = await store.sealable(['r1', 'r2', 'none']);
    expect([...found.keys()].sort()).toEqual(['r1', 'r2']);
    expect(found.get('r1')).toEqual({
      row: await store.recording('r1'),
      hasSegments: false,
      hasMarks: false,
      mayHaveAnnounced: false,
    });
    expect(found.get('r2')).toEqual({
      row: await store.recording('r2'),
      intent,
      render,
      hasSegments: true,
      hasMarks: true,
      mayHaveAnnounced: false,
    });
  });
});
