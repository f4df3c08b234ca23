/**
 * The name in `…/in/{name}`, undecoded, or undefined where the path is another. A path that goes on after the name has a
 * name that no source has.
 *
 * @param target path, with or without a query.
 * @param anywhere also below a prefix, as a mounted Hapax is: `/hooks/in/stripe`.
 */
export function ingressName(target: string, anywhere: boolean): string | undefined {
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const start = anywhere ? path.lastIndexOf('/in/') : path.startsWith('/in/') ? 0 : -1
  return start < 0 ? undefined : path.slice(start + 4)
}
