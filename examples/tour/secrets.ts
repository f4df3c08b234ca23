/** What sender and receiver of the tour share. Your own come from the environment, as here. */
export const secrets = {
  stripe: process.env.STRIPE_SECRET ?? 'whsec_a_secret_of_the_tour',
  github: process.env.GITHUB_SECRET ?? 'another secret of the tour',
}
