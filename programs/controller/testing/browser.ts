/** A browser, as far as a login needs one: it keeps cookies, follows redirects and fills in forms; for tests. */

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly html: string;
}

const REDIRECTS_MAX = 20;

export class Browser {
  /** By origin and name: the port counts here, though it does not for browsers. */
  readonly #cookies = new Map<string, string>();

  /** Goes there and on, until a page comes. `stopAt`: a redirect to what begins so is answered unvisited, with status 0. */
  async open(url: string, form: URLSearchParams | null = null, stopAt: string | null = null): Promise<Page> {
    let at = url;
    let body = form;
    for (let hops = 0; hops < REDIRECTS_MAX; hops++) {
      if (stopAt !== null && at.startsWith(stopAt)) return { url: at, status: 0, html: '' };
      const answer = await fetch(at, {
        method: body === null ? 'GET' : 'POST',
        redirect: 'manual',
        headers: { cookie: this.#cookiesFor(at) },
        ...(body === null ? {} : { body }),
      });
      this.#keep(at, answer.headers.getSetCookie());
      const location = answer.headers.get('location');
      const html = await answer.text();
      if (location === null) return { url: at, status: answer.status, html };
      at = new URL(location, at).href;
      body = null;
    }
    throw new Error(`redirected without end, last to ${at}`);
  }

  /** Fills in the only form of the page and sends it off. */
  async submit(
    page: Page,
    fields: { readonly [name: string]: string } = {},
    stopAt: string | null = null,
  ): Promise<Page> {
    const action = /<form[^>]*\baction="([^"]*)"/.exec(page.html)?.[1];
    if (action === undefined) throw new Error(`there is no form on ${page.url} (${page.status}):\n${page.html}`);
    const form = new URLSearchParams();
    for (const [tag] of page.html.matchAll(/<input[^>]*type="hidden"[^>]*>/g))
      form.set(attribute(tag, 'name'), attribute(tag, 'value'));
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    return this.open(new URL(unescaped(action), page.url).href, form, stopAt);
  }

  /** From the page of an authorization request to where the provider sends the answer: logs in and agrees. */
  async logIn(url: string, subject: string, stopAt: string | null = null): Promise<Page> {
    const asked = await this.open(url, null, stopAt);
    const agree = await this.submit(asked, { login: subject, password: 'any' }, stopAt);
    return agree.html.includes('<form') ? this.submit(agree, {}, stopAt) : agree;
  }

  /** The other end of a device authorization grant (RFC 8628): the person agrees, and logs in. */
  async approveDevice(url: string, subject: string): Promise<Page> {
    const filledIn = await this.submit(await this.open(url));
    const login = await this.submit(filledIn);
    const agree = await this.submit(login, { login: subject, password: 'any' });
    return agree.html.includes('<form') ? this.submit(agree) : agree;
  }

  #cookiesFor(url: string): string {
    const { origin } = new URL(url);
    const mine = [...this.#cookies].filter(([key]) => key.startsWith(`${origin} `));
    return mine.map(([key, value]) => `${key.slice(origin.length + 1)}=${value}`).join('; ');
  }

  #keep(url: string, lines: readonly string[]): void {
    const { origin } = new URL(url);
    for (const line of lines) {
      const [, name, value] = /^([^=;]+)=([^;]*)/.exec(line)!;
      if (value === '') this.#cookies.delete(`${origin} ${name}`);
      else this.#cookies.set(`${origin} ${name}`, value!);
    }
  }
}

function attribute(tag: string, name: string): string {
  return unescaped(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
}

function unescaped(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&');
}
