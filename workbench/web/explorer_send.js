// Pictures from the reader's own machine: chosen, dropped, pasted or taken with the camera; sent in pieces.

import { make } from "./dom.js";
import { button } from "./explorer_parts.js";

// What Python knows of the file when it has all of it.
export async function send(host, file, told) {
  const begun = await host.ask("send_picture", { name: file.name || "picture.png", size: file.size });
  let known = begun;
  for (let start = 0; start < file.size; start += begun.piece) {
    told(`Sending ${file.name}: ${Math.round((100 * start) / file.size)} %`);
    const data = await base64(file.slice(start, start + begun.piece));
    known = await host.ask("send_picture", { key: begun.key, data });
  }
  return known;
}

function base64(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(new Error("The file cannot be read any more: choose it again."));
    reader.readAsDataURL(blob);
  });
}

// Buttons to choose files and to use the camera; dropping on `root` and pasting work too. Returns them and a way to
// stop.
export function inbox(root, taken, failed) {
  const input = make("input", { type: "file", multiple: true, className: "hidden", "aria-label": "Pictures to send" });
  input.addEventListener("change", () => {
    taken([...input.files]);
    input.value = "";
  });
  const camera = button("Camera", () => photograph(root, taken, failed), { title: "Take a picture with the camera" });
  camera.hidden = !navigator.mediaDevices?.getUserMedia;
  const pasted = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !root.offsetParent) return;
    event.preventDefault();
    taken(files);
  };
  const over = (event) => {
    event.preventDefault();
    root.classList.toggle("receiving", event.type === "dragover");
    if (event.type === "drop" && event.dataTransfer.files.length) taken([...event.dataTransfer.files]);
  };
  for (const name of ["dragover", "dragleave", "drop"]) root.addEventListener(name, over);
  document.addEventListener("paste", pasted);
  const element = make(
    "div",
    { className: "inbox" },
    input,
    button("Your picture", () => input.click(), {
      title: "PNG, JPEG, WebP, BMP, GIF, PNM, TIFF, DICOM or NIfTI; or drop files here, or paste one",
    }),
    camera,
  );
  return { element, stop: () => document.removeEventListener("paste", pasted) };
}

async function photograph(root, taken, failed) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch {
    failed("The browser gives no camera to this page: allow it, or choose a file.");
    return;
  }
  const video = make("video", { autoplay: true, playsInline: true, muted: true });
  video.srcObject = stream;
  const close = () => {
    stream.getTracks().forEach((track) => track.stop());
    dialog.remove();
  };
  const shoot = () => {
    const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => taken([new File([blob], "camera.png", { type: "image/png" })]), "image/png");
    close();
  };
  const dialog = make(
    "div",
    { className: "camera", role: "dialog", "aria-label": "Camera" },
    video,
    make("div", { className: "row" }, button("Take the picture", shoot), button("Cancel", close)),
  );
  root.prepend(dialog);
}
