// @stable-canvas/comfyui-client: ?clientId= on every route; pictures come back over the socket (SaveImageWebsocket).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BasePipe, Client } from '@stable-canvas/comfyui-client';
import WebSocket from 'ws';

const [address, , folder, seed] = process.argv.slice(2);
const client = new Client({ api_host: address.replace('http://', ''), WebSocket, fetch });
await client.connect();
if (!Array.isArray(await client.getEmbeddings())) throw new Error('no list of embeddings');
const output = await new BasePipe()
  .with(client)
  .model('latentwire_icons.safetensors')
  .prompt('blue heart, flat vector')
  .negative('')
  .size(128, 128)
  .steps(3)
  .cfg(4)
  .seed(Number(seed))
  .save()
  .wait();
for (const [index, image] of output.images.entries())
  writeFileSync(join(folder, `${index}.png`), Buffer.from(image.data ?? image));
client.close();
process.exit(0);
