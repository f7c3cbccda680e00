// comfy-ui-client: the socket first, then the prompt; the history right after executing/null.
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ComfyUIClient } from 'comfy-ui-client';

const [address, workflow, folder, seed] = process.argv.slice(2);
const prompt = JSON.parse(readFileSync(workflow, 'utf8'));
Object.assign(prompt['3'].inputs, { seed: Number(seed), steps: 3 });
const client = new ComfyUIClient(address.replace('http://', ''), 'baadbabe-b00b-4206-9420-deadd00d1337');
await client.connect();
const outputs = await client.getImages(prompt);
for (const [node, images] of Object.entries(outputs))
  for (const [index, image] of images.entries())
    writeFileSync(join(folder, `${node}_${index}.png`), Buffer.from(await image.blob.arrayBuffer()));
const stats = await client.getSystemStats();
if (!stats.devices.length) throw new Error('no device');
await client.disconnect();
process.exit(0);
