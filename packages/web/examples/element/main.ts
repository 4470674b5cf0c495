/** A camera that learns what it is shown. Run: `npx vite packages/web/examples/element`. */

import '@imprint/web/element';

const element = document.querySelector('imprint-classifier')!;
const output = document.querySelector('output')!;
const form = document.querySelector('form')!;
const list = document.querySelector('ul')!;

function listClasses(): void {
  list.replaceChildren(
    ...element.classes.map(({ label, count }) => {
      const item = document.createElement('li');
      item.textContent = `${label}: ${count}`;
      return item;
    }),
  );
}

element.addEventListener('ready', () => {
  form.querySelector('button')!.disabled = false;
  output.textContent = element.classes.length === 0 ? 'Name what you hold up, and press the button.' : '';
  listClasses();
});
element.addEventListener('change', listClasses);
element.addEventListener('prediction', ({ detail: { prediction } }) => {
  output.textContent = `${prediction.label ?? 'unknown'} (${Math.round(prediction.confidence * 100)} %)`;
});
element.addEventListener('notice', ({ detail }) => (output.title = detail.message));
element.addEventListener('error', ({ detail }) => {
  output.textContent = detail.message;
});

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const label = new FormData(form).get('label') as string;
  element.addExample(label).catch((error: Error) => {
    output.textContent = error.message;
  });
});

navigator.mediaDevices
  .getUserMedia({ video: { width: 320, height: 240 } })
  .then((stream) => {
    element.querySelector('video')!.srcObject = stream;
  })
  .catch((error: Error) => {
    output.textContent = `No camera: ${error.message}`;
  });
