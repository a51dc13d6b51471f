import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { EventDecoder } from './sse.ts';

const stream =
  ': hello\n\ndata: one\n\nid: 7\nevent: x\ndata:two\ndata:  three\r\n\r\ndata\n\nretry: 5\n\ndata: cut off';
const events = ['one', 'two\n three', ''];

test('the data of whole events, whatever the line ends', () => {
  assert.deepEqual(new EventDecoder().push(stream), events);
  assert.deepEqual(new EventDecoder().push('data: a\r\rdata: b\n\n'), ['a', 'b']);
});

test('however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const decoder = new EventDecoder();
      const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const heard = at.slice(1).flatMap((end, i) => decoder.push(stream.slice(at[i], end)));
      assert.deepEqual(heard, events);
    }),
  );
});
