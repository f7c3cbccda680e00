// @comfyorg/sdk, the official one, over API v2 without a proxy: events, outputs, an asset in a workflow.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Comfy } from '@comfyorg/sdk';

const [, workflow, folder, seed] = process.argv.slice(2);
const client = new Comfy();
const work = await client.workflows.fromFile(workflow);
work.setInput('3', 'seed', Number(seed));
work.setInput('3', 'steps', 3);
const job = await client.submit(work);
const seen = [];
for await (const event of job.events()) seen.push(event);
const last = seen.at(-1);
if (last.status !== 'succeeded') throw new Error(JSON.stringify(seen));
await job.refresh();
for (const [index, output] of job.getOutputs('9').entries()) await output.toFile(join(folder, `${index}.png`));
const graph = JSON.parse(readFileSync(workflow, 'utf8'));
Object.assign(graph['3'].inputs, { seed: Number(seed), steps: 3, denoise: 0.5, latent_image: ['21', 0] });
graph['20'] = { class_type: 'LoadImage', inputs: { image: '' } };
graph['21'] = { class_type: 'VAEEncode', inputs: { pixels: ['20', 0], vae: ['4', 2] } };
const redraw = await client.workflows.fromJson(graph);
redraw.setInput('20', 'image', client.assets.fromFile(join(folder, '0.png')));
const again = await client.run(redraw);
for (const [index, output] of again.getOutputs('9').entries()) await output.toFile(join(folder, `redrawn${index}.png`));
process.exit(0);
