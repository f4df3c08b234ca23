/** What both servers and the load know. */
export const secret = 'whsec_of_the_benchmark'
