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
