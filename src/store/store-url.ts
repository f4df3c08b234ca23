/** A store's URL as it may be shown: without its password. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/?#]*):[^@/?#]*@/i, '$1:…@').replace(/([?&]password=)[^&#]*/gi, '$1…')
}
