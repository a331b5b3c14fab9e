import { defineTrace, defineTraceSegments } from '@bailiwick/actors'

export const auditSegments = defineTraceSegments({ type: 'audit-segments', module: import.meta.url })

/** Who did what. Signed with a secret that is not in the directory. */
export const audit = defineTrace({
  type: 'audit',
  module: import.meta.url,
  segments: auditSegments,
  secret: () => process.env['AUDIT_SECRET'] ?? '',
})
