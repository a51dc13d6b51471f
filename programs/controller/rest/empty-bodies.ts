/** Many clients say application/json of every request; without a body it is as if they had not. */
import type { App } from './app.ts';

/** Replaces the parser of JSON by one that takes nothing for no body. Keys like `__proto__` are refused as before. */
export function takeEmptyBodies(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parse(request, body as string, done);
  });
}
