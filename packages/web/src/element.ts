/// <reference lib="esnext.disposable" preserve="true" />
/** The element `<imprint-classifier>`: answers what the picture or video inside it shows. Importing this file defines it. */

import { ImprintError, type AddReport } from '@imprint/core';
import { classifierSession, NOT_BEGUN } from './classifier-session.ts';
import type { ClassifierSession, SessionOptions, SessionState } from './classifier-session.ts';
import type { Device, Notice, Watched, WebClassifier } from './web-classifier.ts';

/** What each event's `detail` holds. None bubbles. */
export interface ImprintClassifierEvents {
  /** The classifier can be used. */
  ready: CustomEvent<WebClassifier>;
  /** Its classes changed, here or in another tab that shares the store. */
  change: CustomEvent<WebClassifier['classes']>;
  prediction: CustomEvent<Watched>;
  notice: CustomEvent<Notice>;
  /** There is no classifier, or the picture could not be answered. */
  error: CustomEvent<Error>;
}

export const TAG = 'imprint-classifier';
const OPTIONS = ['store', 'device', 'backbone', 'assets', 'worker-url'] as const;
const PROPERTIES = ['store', 'device', 'backbone', 'assets', 'workerUrl', 'fps'] as const;

// On a server there is no HTMLElement; the class must still be importable there.
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * Attributes: `store`, `device`, `backbone`, `assets`, `worker-url` as in `createClassifier`, and `fps` of a video.
 * It watches the first `<video>` in it, and answers the first `<img>` where there is none, whenever either or the classes change.
 */
export class ImprintClassifierElement extends Base {
  static readonly observedAttributes: readonly string[] = [...OPTIONS, 'fps'];

  /** The newest answer to what is inside. */
  prediction: Watched | undefined;
  #session: ClassifierSession | undefined;
  #seen: SessionState = NOT_BEGUN;
  #unsubscribe: (() => void) | undefined;
  #answering: AbortController | undefined;
  #observer: MutationObserver | undefined;
  #isBeginning = false;

  get #state(): SessionState {
    return this.#session?.state() ?? NOT_BEGUN;
  }

  get status(): SessionState['status'] {
    return this.#state.status;
  }

  /** Once `ready`. Every verb is there. */
  get classifier(): WebClassifier | undefined {
    return this.#state.classifier;
  }

  get error(): Error | undefined {
    return this.#state.error;
  }

  get classes(): WebClassifier['classes'] {
    return this.#state.classes;
  }

  get store(): string | null {
    return this.getAttribute('store');
  }
  set store(value: string | null) {
    this.#reflect('store', value);
  }

  get device(): Device | 'auto' {
    return (this.getAttribute('device') ?? 'auto') as Device | 'auto';
  }
  set device(value: Device | 'auto') {
    this.#reflect('device', value);
  }

  get backbone(): string | null {
    return this.getAttribute('backbone');
  }
  set backbone(value: string | null) {
    this.#reflect('backbone', value);
  }

  get assets(): string | null {
    return this.getAttribute('assets');
  }
  set assets(value: string | null) {
    this.#reflect('assets', value);
  }

  get workerUrl(): string | null {
    return this.getAttribute('worker-url');
  }
  set workerUrl(value: string | null) {
    this.#reflect('worker-url', value);
  }

  /** Answers a second to a video, at most. Default 5. */
  get fps(): number {
    return Number(this.getAttribute('fps') ?? 5);
  }
  set fps(value: number) {
    this.#reflect('fps', String(value));
  }

  /** The picture or video inside, the video first. */
  get subject(): HTMLVideoElement | HTMLImageElement | null {
    return this.querySelector('video') ?? this.querySelector('img');
  }

  /**
   * Adds what is inside at this moment to a class, made where it is new.
   * @throws where there is no classifier yet, or nothing inside
   */
  async addExample(label: string): Promise<AddReport> {
    const { classifier, subject } = this;
    if (classifier === undefined) {
      const message = 'Expected a classifier that is ready, got none yet. Wait for the event "ready".';
      throw new ImprintError('UNSUPPORTED', message);
    }
    if (subject === null) {
      const message = `Expected a <video> or <img> inside <${TAG}>, got none. Put one there.`;
      throw new ImprintError('INVALID_ARGUMENT', message);
    }
    return classifier.addExample(label, subject);
  }

  override addEventListener<Name extends keyof ImprintClassifierEvents>(
    name: Name,
    listener: (event: ImprintClassifierEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject | ((event: never) => void),
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(name, listener as EventListener, options);
  }

  connectedCallback(): void {
    for (const name of PROPERTIES) this.#upgrade(name);
    this.#begin();
    this.#observer = new MutationObserver(() => this.#answer());
    this.#observer.observe(this, { childList: true, subtree: true, attributeFilter: ['src', 'srcset'] });
    // Load events do not bubble, but they can be captured.
    this.addEventListener('load', this.#answer, { capture: true });
  }

  disconnectedCallback(): void {
    this.#observer?.disconnect();
    this.removeEventListener('load', this.#answer, { capture: true });
    this.#answering?.abort();
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected || this.#unsubscribe === undefined) return;
    if (name === 'fps') return this.#answer();
    if (this.#isBeginning) return;
    // Several attributes set in one turn begin one classifier.
    this.#isBeginning = true;
    queueMicrotask(() => {
      this.#isBeginning = false;
      if (!this.isConnected) return;
      this.#unsubscribe?.();
      this.#session = undefined;
      this.#begin();
    });
  }

  /** A property that was set before the element was defined hides its accessor; it is set again through it. */
  #upgrade(name: (typeof PROPERTIES)[number]): void {
    if (!Object.hasOwn(this, name)) return;
    const value: unknown = this[name];
    Reflect.deleteProperty(this, name);
    Reflect.set(this, name, value);
  }

  #begin(): void {
    this.#session ??= classifierSession(this.#options());
    const session = this.#session;
    this.#unsubscribe = session.subscribe(() => this.#see(session.state()));
    this.#see(session.state());
  }

  #options(): SessionOptions {
    const given = OPTIONS.map((name) => [name === 'worker-url' ? 'workerUrl' : name, this.getAttribute(name)] as const);
    return Object.fromEntries(given.filter(([, value]) => value !== null));
  }

  #see(next: SessionState): void {
    const before = this.#seen;
    this.#seen = next;
    const fresh = next.notices.filter((notice) => !before.notices.includes(notice));
    for (const notice of fresh) this.#tell('notice', notice);
    if (next.error !== undefined && next.error !== before.error) this.#tell('error', next.error);
    if (next.classifier !== undefined && next.classifier !== before.classifier) this.#tell('ready', next.classifier);
    else if (next.classifier !== undefined && next.classes !== before.classes) this.#tell('change', next.classes);
    if (next.classifier !== before.classifier || next.classes !== before.classes) this.#answer();
  }

  /** Begins anew to answer what is inside; ends what was begun before. */
  readonly #answer = (): void => {
    this.#answering?.abort();
    const { classifier, subject } = this;
    if (classifier === undefined || subject === null || this.classes.length === 0 || !this.isConnected) return;
    const abort = new AbortController();
    this.#answering = abort;
    const { signal } = abort;
    const found = (watched: Watched) => {
      if (signal.aborted) return;
      this.prediction = watched;
      this.#tell('prediction', watched);
    };
    const answered = async () => {
      if (subject instanceof HTMLVideoElement) {
        for await (const watched of classifier.watch(subject, { fps: this.fps, signal })) found(watched);
      } else if (subject.complete && subject.naturalWidth > 0) {
        const start = performance.now();
        const prediction = await classifier.classify(subject, { signal });
        found({ prediction, elapsedMs: performance.now() - start });
      }
    };
    answered().catch((error: unknown) => {
      if (!signal.aborted) this.#tell('error', error instanceof Error ? error : new Error(String(error)));
    });
  };

  #tell<Name extends keyof ImprintClassifierEvents>(name: Name, detail: ImprintClassifierEvents[Name]['detail']): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #reflect(name: string, value: string | null): void {
    if (value === null) this.removeAttribute(name);
    else this.setAttribute(name, value);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'imprint-classifier': ImprintClassifierElement;
  }
}

// A second copy of this file (two bundles on one page) leaves the first one's definition.
if (globalThis.customElements !== undefined && customElements.get(TAG) === undefined) {
  customElements.define(TAG, ImprintClassifierElement);
}
