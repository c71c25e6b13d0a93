// The server restarts on another project: when it was away and is back, open its first page in the same language.
export default function (component) {
  if (window.songclipMoving) return;
  window.songclipMoving = true;
  let away = false;
  const look = async () => {
    try {
      const answer = await fetch("/_stcore/health", { cache: "no-store" });
      if (answer.ok && away) {
        window.location.assign(`/?lang=${component.data.language}`);
        return;
      }
      away = away || !answer.ok;
    } catch {
      away = true;
    }
    setTimeout(look, 300);
  };
  look();
}
