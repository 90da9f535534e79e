'use strict';

const fs = require('fs/promises');
const { spawn, spawnSync } = require('child_process');
const { FileTokens } = require('../lib/file-tokens');
const { RedisTokens } = require('../lib/redis-tokens');
const { folder, listen } = require('./helpers/stage');

async function keepsTokens(make) {
  const [one, other] = [await make(), await make()];
  await one.add({ value: 'a' });
  await other.add({ value: 'ü "b"\n' });
  expect(await one.recent(10)).toEqual([{ value: 'ü "b"\n' }, { value: 'a' }]);
  expect(await other.recent(1)).toEqual([{ value: 'ü "b"\n' }]);
  await Promise.all([one.close(), other.close()]);
}

describe('tokens in a file', () => {
  const open = async (dir) => {
    const tokens = new FileTokens(dir);
    await tokens.open();
    return tokens;
  };

  it('are shared by all instances', async () => {
    const dir = await folder();
    await keepsTokens(() => open(dir));
  });

  it('are none at first', async () => {
    expect(await (await open(`${await folder()}/new/folder`)).recent(10)).toEqual([]);
  });

  it('lose nothing when many write at once', async () => {
    const dir = await folder();
    const writers = await Promise.all([1, 2, 3, 4].map(() => open(dir)));
    const all = Array.from({ length: 200 }, (nothing, i) => ({ value: `t${i}` }));
    await Promise.all(all.map((token, i) => writers[i % 4].add(token)));
    const kept = await writers[0].recent(1000);
    expect(new Set(kept.map((token) => token.value)).size).toBe(200);
  });

  it('survive a line that was cut short', async () => {
    const tokens = await open(await folder());
    await tokens.add({ value: 'whole' });
    await fs.appendFile(tokens.file, '{"value":"cu\n');
    await tokens.add({ value: 'after' });
    expect((await tokens.recent(10)).map((it) => it.value)).toEqual(['after', 'whole']);
  });

  it('are read from the end of a long file', async () => {
    const tokens = await open(await folder());
    await fs.writeFile(tokens.file, `${JSON.stringify({ value: 'x'.repeat(190) })}\n`.repeat(5000));
    await tokens.add({ value: 'last' });
    const read = await tokens.recent(10000);
    expect(read[0].value).toBe('last');
    expect(read.length).toBeLessThan(400);
  });

  it('stop at a size that one can live with', async () => {
    const tokens = await open(await folder());
    await fs.writeFile(tokens.file, '');
    await fs.truncate(tokens.file, 16 * 1024 * 1024);
    await expectAsync(tokens.add({ value: 'x' })).toBeRejectedWithError(/is full/);
  });
});

describe('tokens in Redis', () => {
  let redis, url;

  beforeAll(async () => {
    if (spawnSync('redis-server', ['--version']).error) {
      return;
    }
    const free = await listen(() => {});
    await free.close();
    const { port } = new URL(free.url);
    const options = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', await folder()];
    redis = spawn('redis-server', options);
    url = `redis://127.0.0.1:${port}`;
    await new Promise((resolve, reject) => {
      redis.on('exit', () => reject(new Error('redis-server ended')));
      redis.stdout.on('data', (text) => /ready to accept/i.test(text) && resolve());
    });
    redis.removeAllListeners('exit');
  });
  afterAll(() => redis && redis.kill());

  it('are shared by all instances', async () => {
    if (!redis) {
      pending('there is no redis-server here');
    }
    await keepsTokens(async () => {
      const tokens = new RedisTokens(url);
      await tokens.open();
      return tokens;
    });
  });
});
