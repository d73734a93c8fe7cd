import type { SendOptions, SipDialog } from './drachtio.ts';

/**
 * Sends a request in a dialog; calls back with an error or a response. May throw, as the library does for a connection that is gone. The library's own
 * way loses every UPDATE of the client that comes before our request is answered: it gives it to that request, and to nobody where that does not
 * listen. Here it stays a request of the dialog.
 */
export function requestIn(
  dialog: SipDialog,
  options: SendOptions & { readonly method: string },
  callback: (error: unknown, response?: { readonly status: number }) => void,
): void {
  const { agent, id, socket } = dialog;
  agent.request({ ...options, stackDialogId: id, _socket: socket }, (error, sent) => {
    if (sent === undefined) {
      callback(error);
      return;
    }
    sent.on('response', (response) => {
      callback(undefined, response);
    });
    sent.on('update', (request, response) => {
      dialog.emit('update', request, response);
    });
  });
}

/**
 * Sends a re-INVITE with an offer and acknowledges its answer; calls back once with the final status, 0 when none came. May throw, see `requestIn`.
 */
export function inviteIn(dialog: SipDialog, options: SendOptions, callback: (status: number) => void): void {
  const { agent, id, socket } = dialog;
  agent.request({ ...options, method: 'INVITE', stackDialogId: id, _socket: socket }, (_error, sent) => {
    if (sent === undefined) {
      callback(0);
      return;
    }
    sent.on('response', ({ status }, acknowledge) => {
      if (status < 200) return;
      if (status < 300) acknowledge();
      callback(status);
    });
    sent.on('update', (request, response) => {
      dialog.emit('update', request, response);
    });
  });
}
