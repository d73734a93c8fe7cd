import { beforeAll, expect, test } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Srf from 'drachtio-srf';
import type { SipApplicationServer, SipDialog } from '../../src/sip/drachtio.ts';
import { forgetMessages } from '../../src/sip/light-dialog.ts';

const CALL_ID = 'a-call-id-of-some-length@pbx.example';
const SOCKET = {};

let collect: () => void;
beforeAll(() => {
  setFlagsFromString('--expose-gc');
  collect = runInNewContext('gc') as () => void;
});

/** A message as far as the library asks it when it makes a dialog. */
const message = (tag: string, contact: string, body: string): object => ({
  method: 'INVITE',
  uri: 'sip:srs@recorder.example',
  body,
  agent: {},
  socket: SOCKET,
  stackDialogId: `${CALL_ID};from-tag=f`,
  get: (name: string) => (name === 'Call-ID' ? CALL_ID : contact),
  getParsedHeader: (name: string) => (name === 'Contact' ? [{ uri: contact }] : { params: { tag } }),
});

interface Known {
  readonly remote: object;
  readonly local: object;
  readonly dialogType: string;
}

type Maker = new (
  server: SipApplicationServer,
  type: 'uas',
  parts: { readonly req: object; readonly res: object; readonly sent: object },
) => SipDialog & Known;

type Library = SipApplicationServer & { findDialogById(id: string): unknown };

test('a dialog forgets the messages it was made of, and stays what it is', async () => {
  const server = new Srf() as unknown as Library;
  const made = (): { readonly dialog: SipDialog & Known; readonly messages: readonly WeakRef<object>[] } => {
    const parts = {
      req: message('f', 'sip:src@pbx.example', 'an offer'),
      res: message('t', '', ''),
      sent: message('t', 'sip:srs@recorder.example', 'an answer'),
    };
    const dialog = new (Srf.Dialog as unknown as Maker)(server, 'uas', parts);
    server.addDialog(dialog);
    return { dialog, messages: Object.values(parts).map((each) => new WeakRef(each)) };
  };
  const { dialog, messages } = made();
  forgetMessages(server, dialog);
  for (let times = 0; times < 3; times += 1) {
    await setImmediate();
    collect();
  }
  expect(messages.map((each) => each.deref())).toEqual([undefined, undefined, undefined]);
  expect(dialog.id).toBe(`${CALL_ID};from-tag=f`);
  expect(server.findDialogById(dialog.id)).toBe(dialog);
  expect(dialog.dialogType).toBe('INVITE');
  expect(dialog.socket).toBe(SOCKET);
  expect(dialog.sip).toEqual({ callId: CALL_ID, remoteTag: 'f', localTag: 't' });
  expect(dialog.local).toEqual({
    uri: 'sip:srs@recorder.example',
    sdp: 'an answer',
    contact: 'sip:srs@recorder.example',
  });
  expect(dialog.remote).toEqual({ uri: 'sip:src@pbx.example', sdp: '' });
});
