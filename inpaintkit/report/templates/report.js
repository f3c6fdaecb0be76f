// Shows one sample sheet at a time, chosen by a slider. Without it, the page shows all of them side by side.
for (const player of document.querySelectorAll("[data-player]")) {
  const sheets = [...player.querySelectorAll(".sheets figure")];
  if (sheets.length < 2) continue;
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: sheets.length - 1 });
  slider.setAttribute("aria-label", "training step");
  const show = () => sheets.forEach((sheet, index) => { sheet.hidden = index !== Number(slider.value); });
  slider.value = sheets.length - 1;
  slider.addEventListener("input", show);
  player.prepend(slider);
  player.classList.add("player");
  show();
}
