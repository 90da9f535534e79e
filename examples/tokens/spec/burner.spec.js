'use strict';

const { Burner, MAX_MS } = require('../lib/burner');

describe('the burner', () => {
  it('lets others go on meanwhile', async () => {
    const turns = [];
    const other = () => {
      turns.push('other');
      if (turns.length < 3) {
        setImmediate(other);
      }
    };
    setImmediate(other);
    await new Burner().burn(60);
    expect(turns).toEqual(['other', 'other', 'other']);
  });

  it('does one piece after the other', async () => {
    const burner = new Burner();
    const ended = [];
    await Promise.all([20, 1].map((ms) => burner.burn(ms).then((burnt) => ended.push(burnt))));
    expect(ended).toEqual([20, 1]);
  });

  it('takes nonsense as nothing', async () => {
    const burner = new Burner();
    expect(await burner.burn('plenty')).toBe(0);
    expect(await burner.burn(-5)).toBe(0);
  });

  it('lets no more wait than a minute of work', () => {
    const burner = new Burner();
    burner.tail = new Promise(() => {});
    const taken = Array.from({ length: 7 }, () => burner.burn(MAX_MS * 10) !== false);
    expect(taken).toEqual([true, true, true, true, true, true, false]);
  });
});
