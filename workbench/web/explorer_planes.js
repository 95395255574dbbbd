// Planes of 8 bits, decoded and drawn: masks at any threshold, their outlines, and maps in colours.

export async function loaded(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

// The grey levels of a PNG, row by row.
export async function levels(address) {
  const image = await loaded(address);
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const grey = new Uint8Array(canvas.width * canvas.height);
  for (let place = 0; place < grey.length; place++) grey[place] = data[4 * place];
  return grey;
}

export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export function rgb(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

// A colour as the canvas keeps it: red in the lowest byte.
export function packed([red, green, blue], alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// Which class every pixel belongs to, as the position in `classes` from 1, and 0 for none.
// Classes that may overlap have a plane each; all others share one.
export function masks({ mode, classes, labels, probabilities }, threshold) {
  const least = Math.round(threshold * 255);
  if (mode === "multiclass") {
    const position = new Uint8Array(256);
    classes.forEach(({ id }, place) => (position[id] = place + 1));
    return [labels.map((id) => position[id])];
  }
  return classes.map(({ channel }, place) => probabilities[channel].map((level) => (level >= least ? place + 1 : 0)));
}

// Planes of masks in colours; a position without one stays clear. Later planes lie over earlier ones.
export function fill(canvas, planes, colours) {
  draw(canvas, (pixels) => {
    for (const plane of planes) {
      for (let place = 0; place < plane.length; place++) {
        const colour = colours[plane[place]];
        if (colour) pixels[place] = colour;
      }
    }
  });
}

// Lines along the inner edges of masks.
export function outline(canvas, planes, colours, width) {
  const across = canvas.width;
  draw(canvas, (pixels) => {
    for (const plane of planes) {
      for (let place = 0, row = 0; row < canvas.height; row++) {
        for (let column = 0; column < across; column++, place++) {
          const here = plane[place];
          if (!colours[here]) continue;
          for (let far = 1; far <= width; far++) {
            if (
              (column >= far && plane[place - far] !== here) ||
              (column + far < across && plane[place + far] !== here) ||
              (row >= far && plane[place - far * across] !== here) ||
              (row + far < canvas.height && plane[place + far * across] !== here)
            ) {
              pixels[place] = colours[here];
              break;
            }
          }
        }
      }
    }
  });
}

// A map in the colours of a colour map: on the scale from 0 to 1, or rescaled to its own range.
export function paint(canvas, { levels: plane, low, high }, colourMap, { rescale, byValue }) {
  const table = new Uint32Array(256);
  for (let level = 0; level < 256; level++) {
    const value = low + (level / 255) * (high - low);
    const place = rescale ? level : Math.round(Math.min(Math.max(value, 0), 1) * 255);
    table[level] = packed(colourMap.subarray(3 * place, 3 * place + 3), byValue ? place : 255);
  }
  draw(canvas, (pixels) => {
    for (let place = 0; place < plane.length; place++) pixels[place] = table[plane[place]];
  });
}

export function valueAt({ levels: plane, low, high }, place) {
  return low + (plane[place] / 255) * (high - low);
}

function draw(canvas, put) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  put(new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
}
