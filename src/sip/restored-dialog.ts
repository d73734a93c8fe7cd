import Srf from 'drachtio-srf';
import { idOf } from './dialog-keeper.ts';
import type { SipApplicationServer, SipDialog } from './drachtio.ts';
import type { DialogSignalling } from './kept-dialog.ts';

/** The library's own dialog, which it makes of an INVITE and the 200 to it; these are all the things it asks them. */
type DialogMaker = new (
  server: SipApplicationServer,
  type: 'uas',
  parts: { readonly req: object; readonly res: object; readonly sent: object },
) => SipDialog;

/**
 * Makes the library know a dialog of a process before this one, so that requests in it come here and ours go out on whatever connection there
 * is. The server must know it as well: ours by `SipServer.restore`, a drachtio-server has it still. Call it once the connection is open.
 */
export function restoreDialog(
  server: SipApplicationServer,
  signalling: DialogSignalling,
  sdp: { readonly local: string },
): SipDialog {
  const { callId, fromTag, toTag, contact, ownContact } = signalling;
  const Dialog = Srf.Dialog as unknown as DialogMaker;
  const parsed = (tag: string, text: string) => (name: string) =>
    name.toLowerCase() === 'contact' ? [{ uri: uriOf(text) }] : { params: { tag } };
  const invite = {
    method: 'INVITE',
    uri: '',
    body: '',
    getParsedHeader: parsed(fromTag, contact),
    get: (name: string) => (name.toLowerCase() === 'contact' ? contact : undefined),
  };
  const ok = {
    agent: server.app.client,
    stackDialogId: idOf(signalling),
    get: (name: string) => (name.toLowerCase() === 'call-id' ? callId : undefined),
  };
  const sent = {
    body: sdp.local,
    getParsedHeader: parsed(toTag, ownContact),
    get: (name: string) => (name.toLowerCase() === 'contact' ? ownContact : undefined),
  };
  const dialog = new Dialog(server, 'uas', { req: invite, res: ok, sent });
  server.addDialog(dialog);
  return dialog;
}

const uriOf = (contact: string): string => /<([^>]*)>/.exec(contact)?.[1] ?? contact;
