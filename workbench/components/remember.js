// The reviewer's name and language stay with this browser: told once, sent to this server only.
export default function ({ data }) {
  for (const [cookie, value] of Object.entries(data)) {
    const told = `${cookie}=${encodeURIComponent(value)}`;
    if (value && !document.cookie.split("; ").includes(told)) {
      document.cookie = `${told}; max-age=31536000; path=/; SameSite=Strict`;
    }
  }
}
