/** Promises that know whether anybody has ever waited for them. */

/** A promise with a memory: `isAwaited` once somebody has looked at how it ends. */
export class AwaitedPromise<T> extends Promise<T> {
  isAwaited = false

  // What is derived from it, by `then` and `all`, is an ordinary promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise, and looks on.
  override then<Value = T, Reason = never>(
    onValue?: ((value: T) => Value | PromiseLike<Value>) | null,
    onReason?: ((reason: unknown) => Reason | PromiseLike<Reason>) | null,
  ): Promise<Value | Reason> {
    this.isAwaited = true
    return super.then(onValue, onReason)
  }

  /** Makes one that ends as another promise does. Nobody has waited for it yet, and nobody has to. */
  static of<T>(promise: Promise<T>): AwaitedPromise<T> {
    const made = new AwaitedPromise<T>((resolve, reject) => {
      promise.then(resolve, reject)
    })
    // That nobody waits for it is found when the scenario ends; it must not end the test's process before.
    void super.prototype.then.call(made, undefined, () => undefined)
    return made
  }
}
