/** Server-sent events (HTML standard, section 9.2.6): text in, the data of whole events out. No I/O. */
export class EventDecoder {
  #rest = '';
  #data: string[] = [];

  /** The `data` of every event that this piece completes. */
  push(piece: string): string[] {
    const events: string[] = [];
    // A lone CR at the end may be half of CR LF: it waits for what follows.
    const text = this.#rest + piece;
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text;
    const lines = whole.split(/\r\n|\n|\r/);
    this.#rest = lines.pop()! + text.slice(whole.length);
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) events.push(this.#data.join('\n'));
        this.#data = [];
      } else if (line === 'data') this.#data.push('');
      else if (line.startsWith('data:')) this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
    }
    return events;
  }
}
