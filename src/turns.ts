/** Work on one key follows the work before on the same key; other keys do not wait. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async after<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }
}
