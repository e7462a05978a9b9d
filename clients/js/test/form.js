// Runs the page of the integrator's guide without a browser: its script as it stands there, over a form of plain objects.
// `node form.js PAGE` prints, as JSON, what the form holds once its button has been pressed; `node form.js PAGE CAN` types
// another number.

import { readFileSync, writeFileSync, mkdtempSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [, , page, can = JSON.parse(process.env.CCCD_DESK).can] = process.argv;
const html = readFileSync(page, 'utf8');
const script = html.match(/<script type="module">([\s\S]*?)<\/script>/)[1]
  .replace("'http://127.0.0.1:9303'", JSON.stringify(process.env.CCCD_AGENT_URL))
  .replace("'TOKEN'", JSON.stringify(process.env.CCCD_AGENT_TOKEN));

const elements = Object.fromEntries([...html.matchAll(/<input name="(\w+)"/g)].map(([, name]) => [name, { value: '' }]));
const parts = { '[role=status]': { textContent: '' }, progress: { value: 0 }, img: { src: '' } };
let submit;
const form = {
  elements,
  querySelector: (selector) => parts[selector],
  addEventListener: (name, listener) => { if (name === 'submit') submit = listener; },
};
globalThis.document = { querySelector: (selector) => (selector === '#person' ? form : null) };

const folder = mkdtempSync(join(tmpdir(), 'form-'));
copyFileSync(fileURLToPath(new URL('../cccd-agent.js', import.meta.url)), join(folder, 'cccd-agent.js'));
writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
writeFileSync(join(folder, 'form.js'), script);
await import(pathToFileURL(join(folder, 'form.js')));

elements.can.value = can;
await submit({ preventDefault: () => {} });
const values = Object.fromEntries(Object.entries(elements).map(([name, { value }]) => [name, value]));
const face = parts.img.src === '' ? null : (await (await fetch(parts.img.src)).blob()).type;
console.log(JSON.stringify({ ...values, said: parts['[role=status]'].textContent, percent: parts.progress.value, face }));
