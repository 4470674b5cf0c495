/** A few pictures that the page draws itself, so that a visitor without any at hand can try it: three kinds, and a stranger. */

export type SampleKind = 'Leaf' | 'Mug' | 'Fish' | 'Umbrella';

/** What is learned; an umbrella is never shown before it is asked about. */
export const SAMPLE_KINDS = ['Leaf', 'Mug', 'Fish'] as const satisfies readonly SampleKind[];
export const EXAMPLES_EACH = 8;

const SIZE = 256;

/** A file of one picture; the same `variant` is the same drawing. */
export async function samplePicture(kind: SampleKind, variant: number): Promise<File> {
  const canvas = new OffscreenCanvas(SIZE, SIZE);
  const context = canvas.getContext('2d')!;
  const random = dice(kind.length * 7919 + variant * 104_729 + kind.charCodeAt(0));
  const ground = 30 + random() * 40;
  context.fillStyle = `hsl(${ground} ${20 + random() * 25}% ${86 + random() * 8}%)`;
  context.fillRect(0, 0, SIZE, SIZE);
  context.translate(SIZE / 2 + (random() - 0.5) * 36, SIZE / 2 + (random() - 0.5) * 36);
  context.rotate((random() - 0.5) * 0.7);
  const scale = 0.8 + random() * 0.35;
  context.scale(random() < 0.5 ? scale : -scale, scale);
  context.lineCap = context.lineJoin = 'round';
  DRAW[kind](context, random);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return new File([blob], `${kind.toLowerCase()}-${variant}.png`, { type: 'image/png' });
}

type Random = () => number;
type Draw = (context: OffscreenCanvasRenderingContext2D, random: Random) => void;

const DRAW: Readonly<Record<SampleKind, Draw>> = {
  Leaf(c, random) {
    const hue = 85 + random() * 50;
    c.fillStyle = `hsl(${hue} 48% ${36 + random() * 14}%)`;
    c.beginPath();
    c.moveTo(0, -88);
    c.bezierCurveTo(66, -52, 62, 34, 0, 74);
    c.bezierCurveTo(-62, 34, -66, -52, 0, -88);
    c.fill();
    c.strokeStyle = `hsl(${hue} 42% 24%)`;
    c.lineWidth = 5;
    c.beginPath();
    c.moveTo(0, -66);
    c.lineTo(0, 104);
    for (let y = -34; y < 56; y += 24) {
      c.moveTo(0, y + 16);
      c.lineTo(30 - Math.abs(y) / 6, y - 6);
      c.moveTo(0, y + 16);
      c.lineTo(-30 + Math.abs(y) / 6, y - 6);
    }
    c.stroke();
  },
  Mug(c, random) {
    const hue = random() * 360;
    const light = 44 + random() * 16;
    c.strokeStyle = `hsl(${hue} 44% ${light - 8}%)`;
    c.lineWidth = 17;
    c.beginPath();
    c.arc(58, 2, 32, -1.2, 1.2);
    c.stroke();
    c.fillStyle = `hsl(${hue} 44% ${light}%)`;
    c.beginPath();
    c.roundRect(-66, -66, 124, 136, [6, 6, 26, 26]);
    c.fill();
    c.fillStyle = `hsl(${hue} 34% ${light + 20}%)`;
    c.fillRect(-66, -6 + random() * 16, 124, 12 + random() * 14);
    c.fillStyle = 'hsl(24 48% 22%)';
    c.beginPath();
    c.ellipse(-4, -66, 62, 13, 0, 0, 7);
    c.fill();
  },
  Fish(c, random) {
    const hue = 190 + random() * 40;
    c.fillStyle = `hsl(${hue} 52% ${42 + random() * 14}%)`;
    c.beginPath();
    c.moveTo(52, 0);
    c.lineTo(104, -44);
    c.lineTo(94, 0);
    c.lineTo(104, 44);
    c.fill();
    c.beginPath();
    c.moveTo(-94, 0);
    c.bezierCurveTo(-58, -66, 24, -58, 66, 0);
    c.bezierCurveTo(24, 58, -58, 66, -94, 0);
    c.fill();
    c.strokeStyle = `hsl(${hue} 46% 28%)`;
    c.lineWidth = 4;
    c.beginPath();
    for (let x = -22; x < 40; x += 20) {
      c.moveTo(x, -24);
      c.quadraticCurveTo(x + 16, 0, x, 24);
    }
    c.stroke();
    c.fillStyle = '#fff';
    c.beginPath();
    c.arc(-58, -11, 11, 0, 7);
    c.fill();
    c.fillStyle = '#16202a';
    c.beginPath();
    c.arc(-60, -11, 5.5, 0, 7);
    c.fill();
  },
  Umbrella(c, random) {
    const hue = 330 + random() * 50;
    c.strokeStyle = 'hsl(20 30% 28%)';
    c.lineWidth = 8;
    c.beginPath();
    c.moveTo(0, -84);
    c.lineTo(0, 72);
    c.arc(-17, 72, 17, 0, Math.PI);
    c.stroke();
    for (let rib = 0; rib < 4; rib++) {
      c.fillStyle = `hsl(${hue} 62% ${rib % 2 === 0 ? 52 : 66}%)`;
      c.beginPath();
      c.moveTo(0, -72);
      c.quadraticCurveTo(-92 + rib * 58, -66, -96 + rib * 48, 4);
      c.quadraticCurveTo(-72 + rib * 48, -16, -48 + rib * 48, 4);
      c.quadraticCurveTo(-44 + rib * 44, -66, 0, -72);
      c.fill();
    }
  },
};

/** Seeded: the same pictures on every device. From 0 to 1. */
function dice(seed: number): Random {
  let state = Math.imul(seed ^ (seed >>> 15), 2_654_435_761) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}
