/** What a solved state keeps for those that follow: its latest systems, and what was solved with one by name. */

/** Values of lambda that stay factored: the one or two that a search compares as a rule, and as many before. */
export const MOST_SYSTEMS = 4;

/** The systems that were asked for last. */
export class LatestSystems<System> {
  readonly #most: number;
  /** Oldest first. */
  readonly #systems = new Map<number, System>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @param make asked where there is none, once there is room for it */
  async at(lambda: number, make: () => Promise<System>): Promise<System> {
    const known = this.#systems.get(lambda);
    this.#systems.delete(lambda);
    for (const oldest of this.#systems.keys()) {
      if (this.#systems.size < this.#most) break;
      this.#systems.delete(oldest);
    }
    const system = known ?? (await make());
    this.#systems.set(lambda, system);
    return system;
  }
}

/** Values by name, each made once; where more than so many would be kept, those before are forgotten. */
export class NamedValues<Value> {
  readonly #most: number;
  readonly #known = new Map<string, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * @param keys one a value, equal for equal values
   * @param make values of the keys at these indices
   */
  async of(keys: readonly string[], make: (indices: readonly number[]) => Promise<readonly Value[]>): Promise<Value[]> {
    const fresh = new Map<string, number>();
    for (const [i, key] of keys.entries()) if (!this.#known.has(key) && !fresh.has(key)) fresh.set(key, i);
    const made = fresh.size > 0 ? await make([...fresh.values()]) : [];
    const found = new Map([...fresh.keys()].map((key, at): [string, Value] => [key, made[at]]));
    const values = keys.map((key) => (found.has(key) ? found.get(key) : this.#known.get(key)) as Value);
    if (this.#known.size + found.size > this.#most) this.#known.clear();
    for (const [key, value] of found) this.#known.set(key, value);
    return values;
  }
}
