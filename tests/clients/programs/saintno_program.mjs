// @saintno/comfyui-sdk: JSON as text/plain, pings GET /prompt, follows progress and previews, builds prompts by paths.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CallWrapper, ComfyApi, PromptBuilder } from '@saintno/comfyui-sdk';

const [address, workflow, folder, seed] = process.argv.slice(2);
const api = await new ComfyApi(address, 'client-saintno').init().waitForReady();
if (!(await api.getCheckpoints()).includes('latentwire_icons.safetensors')) throw new Error('the checkpoint is not listed');
const builder = new PromptBuilder(JSON.parse(readFileSync(workflow, 'utf8')), ['seed', 'steps'], ['images'])
  .setInputNode('seed', '3.inputs.seed')
  .setInputNode('steps', '3.inputs.steps')
  .setOutputNode('images', '9');
const steps = [];
const outputs = await new Promise((resolve, reject) => {
  new CallWrapper(api, builder.input('seed', Number(seed)).input('steps', 3))
    .onProgress((step) => steps.push(`${step.value}/${step.max}`))
    .onFinished(resolve)
    .onFailed(reject)
    .run();
});
if (!steps.includes('3/3')) throw new Error(`steps: ${steps}`);
for (const [index, image] of outputs.images.images.entries()) {
  const answer = await fetch(api.getPathImage(image));
  writeFileSync(join(folder, `${index}.png`), Buffer.from(await answer.arrayBuffer()));
}
process.exit(0);
