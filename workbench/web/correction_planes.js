// Labels as planes of bytes, row by row: lines, flood fills, boxes of what changed, run lengths. Knows no page.
//
// A box is {left, top, right, bottom}, right and bottom outside of it; null where nothing changed.

export const IGNORED = 255; // the level of pixels that belong to no class and do not count
const EVEN = 1e-9; // what rounding may take from a distance

export function union(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

export function widened({ left, top, right, bottom }, by, { width, height }) {
  return {
    left: Math.max(left - by, 0),
    top: Math.max(top - by, 0),
    right: Math.min(right + by, width),
    bottom: Math.min(bottom + by, height),
  };
}

export function whole({ width, height }) {
  return { left: 0, top: 0, right: width, bottom: height };
}

// A round brush drawn from one point to another: pixels whose middle is within half its diameter of the line, and those
// under both ends. Points are [x, y], where pixel (row, column) reaches from (column, row) to (column + 1, row + 1).
export function paintLine(plane, size, from, to, diameter, value) {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const pieces = Math.max(1, Math.ceil(length / Math.max(diameter, 8))); // a slanting line's own box would be large
  const at = (share) => [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
  let changed = union(paintPixel(plane, size, from, value), paintPixel(plane, size, to, value));
  for (let piece = 0; piece < pieces; piece++) {
    const ends = [at(piece / pieces), at((piece + 1) / pieces)];
    changed = union(changed, paintPiece(plane, size, ...ends, diameter / 2, value));
  }
  return changed;
}

function paintPixel(plane, { width, height }, [x, y], value) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const place = row * width + column;
  if (column < 0 || row < 0 || column >= width || row >= height || plane[place] === value) return null;
  plane[place] = value;
  return { left: column, top: row, right: column + 1, bottom: row + 1 };
}

function paintPiece(plane, { width, height }, [x, y], [toX, toY], radius, value) {
  const [across, down] = [toX - x, toY - y];
  const squared = across * across + down * down;
  const left = Math.max(Math.floor(Math.min(x, toX) - radius), 0);
  const right = Math.min(Math.ceil(Math.max(x, toX) + radius), width);
  const top = Math.max(Math.floor(Math.min(y, toY) - radius), 0);
  const bottom = Math.min(Math.ceil(Math.max(y, toY) + radius), height);
  const reach = radius * radius + EVEN;
  const box = { left: width, top: height, right: 0, bottom: 0 };
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const [besideX, besideY] = [column + 0.5 - x, row + 0.5 - y];
      const along = squared ? Math.min(Math.max((besideX * across + besideY * down) / squared, 0), 1) : 0;
      const [apartX, apartY] = [besideX - along * across, besideY - along * down];
      const place = row * width + column;
      if (apartX * apartX + apartY * apartY > reach || plane[place] === value) continue;
      plane[place] = value;
      if (column < box.left) box.left = column;
      if (column >= box.right) box.right = column + 1;
      if (row < box.top) box.top = row;
      box.bottom = row + 1;
    }
  }
  return box.bottom ? box : null;
}

// Give all pixels that hang together with one, side by side, and hold what it holds, another value.
export function floodFill(plane, { width, height }, column, row, value) {
  const old = plane[row * width + column];
  if (old === value) return null;
  const box = { left: column, top: row, right: column + 1, bottom: row + 1 };
  const waiting = [row * width + column];
  while (waiting.length) {
    const place = waiting.pop();
    if (plane[place] !== old) continue;
    const start = place - (place % width);
    const end = start + width;
    let [left, right] = [place, place + 1];
    while (left > start && plane[left - 1] === old) left--;
    while (right < end && plane[right] === old) right++;
    plane.fill(value, left, right);
    const here = start / width;
    const run = { left: left - start, top: here, right: right - start, bottom: here + 1 };
    Object.assign(box, union(box, run));
    for (const line of [start - width, end]) {
      if (line < 0 || line >= plane.length) continue;
      const last = line + run.right;
      for (let next = line + run.left; next < last; next++) {
        if (plane[next] === old && (next === line + run.left || plane[next - 1] !== old)) waiting.push(next);
      }
    }
  }
  return box;
}

// Where two planes differ.
export function difference(one, other, { width, height }) {
  let box = null;
  for (let row = 0; row < height; row++) {
    const [start, end] = [row * width, (row + 1) * width];
    let [left, right] = [start, end];
    while (left < end && one[left] === other[left]) left++;
    if (left === end) continue;
    while (one[right - 1] === other[right - 1]) right--;
    box = union(box, { left: left - start, top: row, right: right - start, bottom: row + 1 });
  }
  return box;
}

// [value, count, value, count, …]
export function runLengths(plane) {
  const runs = [];
  for (let start = 0, place = 1; place <= plane.length; place++) {
    if (place < plane.length && plane[place] === plane[start]) continue;
    runs.push(plane[start], place - start);
    start = place;
  }
  return runs;
}

// What a box of a plane holds, in as few bytes as run lengths or the bytes themselves take.
export function copied(plane, box, width) {
  const across = box.right - box.left;
  const bytes = new Uint8Array(across * (box.bottom - box.top));
  for (let row = box.top, place = 0; row < box.bottom; row++, place += across) {
    bytes.set(plane.subarray(row * width + box.left, row * width + box.right), place);
  }
  const runs = runLengths(bytes);
  return runs.length * 4 < bytes.length ? Uint32Array.from(runs) : bytes;
}

// Put back what `copied` took.
export function restore(plane, box, width, copy) {
  const across = box.right - box.left;
  const bytes = copy instanceof Uint8Array ? copy : new Uint8Array(across * (box.bottom - box.top));
  for (let pair = 0, place = 0; copy !== bytes && pair < copy.length; pair += 2) {
    bytes.fill(copy[pair], place, (place += copy[pair + 1]));
  }
  for (let row = box.top, place = 0; row < box.bottom; row++, place += across) {
    plane.set(bytes.subarray(place, place + across), row * width + box.left);
  }
}
