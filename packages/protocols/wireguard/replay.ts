/**
 * Which counters of a session were seen, RFC 6479: a ring of 32-bit words, so that moving the window clears whole words and shifts
 * nothing. 8192 bits, of which 8128 are in use, as in the other implementations. Counters are 64 bits, in two unsigned halves.
 */
const WORDS = 256;
const WINDOW = 8_128;
const TOP_LOW = WORDS;
const TOP_HIGH = WORDS + 1;
const TWO_32 = 2 ** 32;
const WORDS_PER_HIGH = 2 ** 27;

export class ReplayWindow {
  /** The ring, then the two halves of the greatest counter seen. */
  readonly #words: Uint32Array = new Uint32Array(WORDS + 2);

  /** Marks the counter. False: it was seen already, or is too old to tell. */
  accept(low: number, high: number): boolean {
    const words = this.#words;
    const topLow = words[TOP_LOW]!;
    const topHigh = words[TOP_HIGH]!;
    // Doubles are exact as long as they matter: far differences only have to be large.
    const ahead = (high - topHigh) * TWO_32 + (low - topLow);
    if (ahead > 0) {
      const wordsAhead = (high - topHigh) * WORDS_PER_HIGH + ((low >>> 5) - (topLow >>> 5));
      const clear = Math.min(wordsAhead, WORDS);
      const topWord = topLow >>> 5;
      for (let i = 1; i <= clear; i++) words[(topWord + i) & (WORDS - 1)] = 0;
      words[TOP_LOW] = low;
      words[TOP_HIGH] = high;
    } else if (-ahead > WINDOW) return false;
    const word = (low >>> 5) & (WORDS - 1);
    const bit = 1 << (low & 31);
    if ((words[word]! & bit) !== 0) return false;
    words[word] = words[word]! | bit;
    return true;
  }
}
