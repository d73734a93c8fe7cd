import { ownText } from '../siprec/own-copy.ts';
import type { SipApplicationServer, SipDialog } from './drachtio.ts';

type Texts = Readonly<Record<string, unknown>>;

/** A dialog as the library has it (drachtio-srf 5, lib/dialog.js). */
interface LibraryDialog {
  req: { readonly method: string; readonly socket: object | undefined };
  res: { readonly stackDialogId: string };
  sip: Texts;
  local: Texts;
  remote: Texts;
}

/**
 * Lets a dialog that an INVITE has begun forget the INVITE and our answer, which the library would keep in it as long as it lasts: it asks them
 * for what is left here, and nothing else. What the client offered last is asked for only where somebody listens for `hold` or `refresh`.
 * Call it when nobody needs the messages any more.
 */
export function forgetMessages(server: SipApplicationServer, dialog: SipDialog): void {
  const made = dialog as unknown as LibraryDialog;
  const { req, sip, local, remote } = made;
  // The library knows it by a text that was cut out of our answer.
  server.removeDialog(dialog);
  made.res = { stackDialogId: ownText(dialog.id) };
  made.req = { method: req.method, socket: req.socket };
  made.sip = owned(sip);
  made.local = owned(local);
  made.remote = owned({ ...remote, sdp: '' });
  server.addDialog(dialog);
}

const owned = (texts: Texts): Texts =>
  Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, typeof text === 'string' ? ownText(text) : text]),
  );
