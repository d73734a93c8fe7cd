/** Members with the time at which each is due next. Looking for those that are due costs next to nothing for the others: only numbers in a row are read. */
export class DueList<Member> {
  readonly #members: Member[] = [];
  readonly #places = new Map<Member, number>();
  #times = new Float64Array(64);

  /** `at`: on the clock of `visit`. */
  add(member: Member, at: number): void {
    const place = this.#members.push(member) - 1;
    this.#places.set(member, place);
    if (place === this.#times.length) {
      const grown = new Float64Array(place * 2);
      grown.set(this.#times);
      this.#times = grown;
    }
    this.#times[place] = at;
  }

  /** Unknown ones are passed over. */
  remove(member: Member): void {
    const place = this.#places.get(member);
    const last = this.#members.pop();
    if (last === undefined) return;
    if (place === undefined) {
      this.#members.push(last);
      return;
    }
    this.#places.delete(member);
    if (last === member) return;
    this.#members[place] = last;
    this.#places.set(last, place);
    this.#times[place] = this.#times[this.#members.length] ?? 0;
  }

  /** Calls `work` with every member that is due at `now`; it returns when that member is due again. */
  visit(now: number, work: (member: Member) => number): void {
    // From the back, since a member that is removed meanwhile is replaced by the last one.
    for (let place = this.#members.length - 1; place >= 0; place--) {
      if ((this.#times[place] ?? 0) > now) continue;
      const member = this.#members[place];
      if (member === undefined) continue;
      const next = work(member);
      if (this.#members[place] === member) this.#times[place] = next;
    }
  }
}
