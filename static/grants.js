// The boxes follow the preset, and the preset follows the boxes. Without scripts the server does the same when saving.

const form = document.querySelector("form[data-grants]");

if (form) {
  const boxes = [...form.querySelectorAll('input[name="permissions"]')];
  const presets = [...form.querySelectorAll('input[name="preset"]')];

  const granted = (preset) => preset.dataset.grants.split(" ");
  const isSame = (wanted) => boxes.every((box) => box.checked === wanted.includes(box.value));

  for (const preset of presets) {
    preset.addEventListener("change", () => {
      if (preset.dataset.grants) {
        for (const box of boxes) {
          box.checked = granted(preset).includes(box.value);
        }
      }
    });
  }
  for (const box of boxes) {
    box.addEventListener("change", () => {
      const named = presets.find((preset) => preset.dataset.grants && isSame(granted(preset)));
      (named ?? presets.find((preset) => !preset.dataset.grants)).checked = true;
    });
  }
}
