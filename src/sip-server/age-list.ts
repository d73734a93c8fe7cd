interface Link<Member> {
  readonly member: Member;
  younger: Link<Member> | undefined;
  older: Link<Member> | undefined;
}

/** Members in the order in which they came. They go in any order, and the oldest is at hand at once: in a Set it stands behind the holes of all that went. */
export class AgeList<Member> {
  readonly #links = new Map<Member, Link<Member>>();
  #oldest: Link<Member> | undefined;
  #youngest: Link<Member> | undefined;

  get size(): number {
    return this.#links.size;
  }

  get oldest(): Member | undefined {
    return this.#oldest?.member;
  }

  /** Adds the youngest. One that is there already stays where it is. */
  add(member: Member): void {
    if (this.#links.has(member)) return;
    const link: Link<Member> = { member, younger: undefined, older: this.#youngest };
    if (this.#youngest === undefined) this.#oldest = link;
    else this.#youngest.younger = link;
    this.#youngest = link;
    this.#links.set(member, link);
  }

  /** Unknown ones are passed over. */
  remove(member: Member): void {
    const link = this.#links.get(member);
    if (link === undefined) return;
    this.#links.delete(member);
    const { younger, older } = link;
    if (older === undefined) this.#oldest = younger;
    else older.younger = younger;
    if (younger === undefined) this.#youngest = older;
    else younger.older = older;
  }

  clear(): void {
    this.#links.clear();
    this.#oldest = this.#youngest = undefined;
  }
}
