// The reviewer's name stays with this browser: asked once, sent to this server only.
export default function ({ data }) {
  const told = `${data.cookie}=${encodeURIComponent(data.name)}`;
  if (data.name && !document.cookie.split("; ").includes(told)) {
    document.cookie = `${told}; max-age=31536000; path=/; SameSite=Strict`;
  }
}
