/** Every relative link in our Markdown leads to a file or folder that is there, and its anchor to a heading. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { filesBelow, root } from './files.ts';

/** What git has or would take; without git, everything that is ours. */
function markdownFiles(): string[] {
  const options = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'];
  const git = spawnSync('git', options, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });
  const paths = git.status === 0 ? git.stdout.split('\0') : filesBelow('', '.md');
  return paths.filter((path) => path !== '' && existsSync(join(root, path)));
}

/** Where the links of a page lead; what stands in code leads nowhere. */
function linksIn(page: string): string[] {
  const prose = page.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '').replaceAll(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\))?)>?(?:\s+"[^"]*")?\s*\)/g)];
  const defined = [...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?\s*$/gm)];
  return [...inline, ...defined].map((match) => match[1]!);
}

/** The anchors that a page's headings make, as forges do. */
function anchorsOf(page: string): Set<string> {
  const headings = page.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '').matchAll(/^#+ +(.+?) *#*$/gm);
  const slug = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
  return new Set([...headings].map((heading) => slug(heading[1]!)));
}

/** Why a link of the page at `from` leads nowhere; null when it leads somewhere, or out of the project. */
function complaint(from: string, link: string): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return null;
  if (link.startsWith('/')) return 'is absolute';
  const [path, anchor] = decodeURIComponent(link).split('#');
  const target = path === '' ? from : join(dirname(from), path!);
  if (target.startsWith('..')) return 'leaves the project';
  if (!existsSync(join(root, target))) return 'is not there';
  if (anchor === undefined || !statSync(join(root, target)).isFile() || !target.endsWith('.md')) return null;
  return anchorsOf(readFileSync(join(root, target), 'utf8')).has(anchor) ? null : 'has no such heading';
}

test('every relative link in our Markdown leads somewhere', () => {
  const pages = markdownFiles();
  assert.ok(pages.includes('README.md'));
  const broken: string[] = [];
  let seen = 0;
  for (const page of pages)
    for (const link of linksIn(readFileSync(join(root, page), 'utf8'))) {
      seen++;
      const why = complaint(page, link);
      if (why !== null) broken.push(`${page}: ${link} ${why}`);
    }
  assert.deepEqual(broken, []);
  assert.ok(seen > 5, `${seen} links were seen`);
});

test('links are found and judged', () => {
  const page = '[a](b.md) `[no](x)` [c](<d.md#e> "t")\n```\n[no](y)\n```\n[ref]: docs/map.md\n';
  assert.deepEqual(linksIn(page), ['b.md', 'd.md#e', 'docs/map.md']);
  assert.equal(complaint('docs/map.md', '../README.md'), null);
  assert.equal(complaint('docs/map.md', 'https://example.org/'), null);
  assert.equal(complaint('docs/map.md', '#the-map'), null);
  assert.equal(complaint('docs/map.md', 'README.nothing'), 'is not there');
  assert.equal(complaint('docs/map.md', '../../README.md'), 'leaves the project');
  assert.equal(complaint('README.md', 'docs/map.md#nowhere'), 'has no such heading');
});
