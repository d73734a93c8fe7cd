/**
 * Posts together what is to be posted within one turn of the event loop: waking the other thread costs more than most messages. The order
 * is kept, and nothing waits longer than until what the loop has in hand is done.
 */
export class Outbox<M> {
  readonly #post: (messages: readonly M[]) => void;
  #messages: M[] = [];

  /** `post` must not throw. */
  constructor(post: (messages: readonly M[]) => void) {
    this.#post = post;
  }

  add(message: M): void {
    if (this.#messages.push(message) > 1) return;
    setImmediate(() => {
      const messages = this.#messages;
      this.#messages = [];
      this.#post(messages);
    });
  }
}
